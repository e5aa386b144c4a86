module naap.invalid/clients

go 1.24.0

require github.com/ethereum/go-ethereum v1.16.7

require (
	github.com/holiman/uint256 v1.3.2 // indirect
	golang.org/x/crypto v0.36.0 // indirect
	golang.org/x/sys v0.36.0 // indirect
)
