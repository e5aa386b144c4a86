// Reads what naap serves for gateways by the rules that go-livepeer reads it by, and fails where go-livepeer would.
//
// The map of scores is go-livepeer's own type (starter.go, refreshOrchPerfScoreLoop): go-ethereum's address as a key, and
// numbers alone, or the whole answer is thrown away. The list is its webhook's (discovery/wh_discovery.go).
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// webhookEntry is what go-livepeer reads of an entry; whatever else stands in it is passed over.
type webhookEntry struct {
	Address string  `json:"address"`
	Score   float32 `json:"score"`
}

func get(address string) ([]byte, int, error) {
	answer, err := http.Get(address)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return body, answer.StatusCode, err
}

// perfStats reads the scores and says how many orchestrators a gateway in the region would keep at the threshold.
func perfStats(api, question, region string, least float64) (int, int, error) {
	body, _, err := get(api + "/v1/route/perf-stats?" + question)
	if err != nil {
		return 0, 0, err
	}
	scores := map[common.Address]map[string]map[string]float64{}
	if err := json.Unmarshal(body, &scores); err != nil {
		return 0, 0, fmt.Errorf("go-livepeer would throw the scores away: %w", err)
	}
	kept := 0
	for address, regions := range scores {
		for _, name := range []string{region, "GLOBAL"} {
			stats, known := regions[name]
			score, scored := stats["score"]
			if !known || !scored {
				return 0, 0, fmt.Errorf("%s has no score in %s, so an old one would stay", address, name)
			}
			if score < 0 || score > 1 {
				return 0, 0, fmt.Errorf("%s has %v in %s", address, score, name)
			}
		}
		if regions[region]["score"] >= least {
			kept++
		}
	}
	return len(scores), kept, nil
}

// webhook reads the list as discovery does.
func webhook(api, question string) (int, error) {
	body, status, err := get(api + "/v1/route/webhook?" + question)
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("status %d: a gateway keeps the list it has", status)
	}
	var entries []webhookEntry
	if err := json.Unmarshal(body, &entries); err != nil {
		return 0, err
	}
	for _, entry := range entries {
		parsed, err := url.ParseRequestURI(entry.Address)
		if err != nil || parsed.Host == "" || !strings.HasPrefix(parsed.Scheme, "http") {
			return 0, fmt.Errorf("%q is no service address", entry.Address)
		}
		if entry.Score != 0 && entry.Score != 1 {
			return 0, fmt.Errorf("%q has the score %v, which breaks transcoding", entry.Address, entry.Score)
		}
	}
	return len(entries), nil
}

func main() {
	api, network := os.Args[1], "network="+os.Args[2]
	for _, work := range []string{"", "workload=live-video", "workload=transcoding", "pipeline=llm"} {
		question := network + "&region=lax&" + work
		known, kept, err := perfStats(api, strings.TrimSuffix(question, "&"), "LAX", 0.8)
		if err != nil || known == 0 || kept == 0 {
			fmt.Fprintf(os.Stderr, "perf-stats %q: %d known, %d kept: %v\n", work, known, kept, err)
			os.Exit(1)
		}
		listed, err := webhook(api, strings.TrimSuffix(question, "&"))
		if err != nil || listed == 0 {
			fmt.Fprintf(os.Stderr, "webhook %q: %d listed: %v\n", work, listed, err)
			os.Exit(1)
		}
		fmt.Printf("%-22q %d known, %d kept at 0.8, %d discovered\n", work, known, kept, listed)
	}
}
