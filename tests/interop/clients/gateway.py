"""Reads the list for gateways as the python gateway does: a bare list of objects with an address, tried from its top."""

import json
import sys
import urllib.request


def discovered(api: str, question: str) -> list[str]:
    with urllib.request.urlopen(f"{api}/v1/route/webhook?{question}", timeout=10) as answer:
        listed = json.load(answer)
    assert isinstance(listed, list), "a bare list"
    addresses = [entry["address"] for entry in listed]
    assert all(isinstance(address, str) and address.startswith("http") for address in addresses)
    assert len(set(addresses)) == len(addresses), "each once"
    return addresses


def main(api: str, network: str) -> None:
    question = f"network={network}"
    with urllib.request.urlopen(f"{api}/v1/route/orchestrators?{question}", timeout=10) as answer:
        best_first = [item["url"] for item in json.load(answer)["items"]]
    assert discovered(api, question) == best_first, "best first"
    capable = discovered(api, f"{question}&caps=live-video-to-video&caps=llm")
    assert capable, "somebody offers one of two capabilities"
    print(f"{len(best_first)} discovered, {len(capable)} of them for what was asked")


if __name__ == "__main__":
    main(*sys.argv[1:])
