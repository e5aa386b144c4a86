// Produces events the way a stock go-livepeer gateway does: the same library, pinned to the same version, with the same writer settings.
// It prints one `acked ID` line for each event the broker acknowledged, and never retries beyond what the library does.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
)

func main() {
	count, err := strconv.Atoi(os.Getenv("COUNT"))
	if err != nil {
		log.Fatal(err)
	}
	dialer := &kafka.Dialer{Timeout: 5 * time.Second, DualStack: true}
	if os.Getenv("LOGIN_USER") != "" {
		// A private authority is given by SSL_CERT_FILE, as on a gateway.
		dialer.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		dialer.SASLMechanism = plain.Mechanism{Username: os.Getenv("LOGIN_USER"), Password: os.Getenv("LOGIN_PASSWORD")}
	}
	writer := kafka.NewWriter(kafka.WriterConfig{
		Brokers:  []string{os.Getenv("BROKER")},
		Topic:    os.Getenv("TOPIC"),
		Balancer: kafka.CRC32Balancer{},
		Dialer:   dialer,
	})
	for first := 0; first < count; first += 100 {
		var batch []kafka.Message
		for n := first; n < count && n < first+100; n++ {
			id := fmt.Sprintf("go-%06d", n)
			value := fmt.Sprintf(`{"id":"%s","type":"stream_trace","timestamp":"%d","gateway":"","data":{}}`, id, time.Now().UnixMilli())
			batch = append(batch, kafka.Message{Key: []byte(id), Value: []byte(value)})
		}
		if err := writer.WriteMessages(context.Background(), batch...); err != nil {
			log.Fatal(err)
		}
		for _, message := range batch {
			fmt.Printf("acked %s\n", message.Key)
		}
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
}
