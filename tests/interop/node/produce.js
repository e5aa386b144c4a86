// Produces events with kafkajs. It prints one `acked ID` line for each event the broker acknowledged.
import { readFileSync } from "node:fs";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";

const { BROKER, TOPIC, COUNT, AUTHORITY, LOGIN_USER, LOGIN_PASSWORD, VARIANT } = process.env;
const kafka = new Kafka({
  brokers: [BROKER],
  logLevel: logLevel.ERROR,
  ...(LOGIN_USER && {
    ssl: { ca: [readFileSync(AUTHORITY)] },
    sasl: { mechanism: "plain", username: LOGIN_USER, password: LOGIN_PASSWORD },
  }),
});
const producer = kafka.producer({ idempotent: VARIANT === "idempotent" });
await producer.connect();
for (let first = 0; first < Number(COUNT); first += 100) {
  const messages = [];
  for (let n = first; n < Math.min(Number(COUNT), first + 100); n += 1) {
    const id = `node-${String(n).padStart(6, "0")}`;
    messages.push({ key: id, value: JSON.stringify({ id, type: "stream_trace", timestamp: String(Date.now()), data: {} }) });
  }
  const compression = VARIANT === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None;
  await producer.send({ topic: TOPIC, messages, compression });
  for (const { key } of messages) console.log(`acked ${key}`);
}
await producer.disconnect();
