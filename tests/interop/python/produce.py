"""Produces events with confluent-kafka (librdkafka) or aiokafka; prints one `acked ID` line for each event the broker acknowledged."""

import asyncio
import json
import os
import ssl
import sys
import time

BROKER, TOPIC, COUNT = os.environ["BROKER"], os.environ["TOPIC"], int(os.environ["COUNT"])
USER, PASSWORD = os.environ.get("LOGIN_USER"), os.environ.get("LOGIN_PASSWORD")
AUTHORITY, VARIANT = os.environ.get("AUTHORITY"), os.environ.get("VARIANT", "")


def events(prefix):
    for number in range(COUNT):
        name = f"{prefix}-{number:06}"
        value = {"id": name, "type": "stream_trace", "timestamp": str(int(time.time() * 1000)), "data": {}}
        yield name, json.dumps(value).encode()


def confluent():
    import confluent_kafka

    settings = {"bootstrap.servers": BROKER, "message.timeout.ms": 15000, "linger.ms": 20}
    if USER:
        settings |= {"security.protocol": "SASL_SSL", "ssl.ca.location": AUTHORITY, "sasl.mechanism": "PLAIN"}
        settings |= {"sasl.username": USER, "sasl.password": PASSWORD}
    if VARIANT == "gzip":
        settings |= {"compression.type": VARIANT}
    if VARIANT == "idempotent":
        settings |= {"enable.idempotence": True}
    if VARIANT == "0.9.0":
        # As a client of that age: it asks for no versions and sends message sets of magic 0.
        settings |= {"api.version.request": False, "broker.version.fallback": VARIANT}
    producer = confluent_kafka.Producer(settings)
    failures = []

    def delivered(failure, message):
        if failure:
            failures.append(failure)
        else:
            print("acked", message.key().decode())

    for key, value in events("confluent"):
        producer.produce(TOPIC, value, key, on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(20)
    if left or failures:
        sys.exit(f"{left} not sent, failures: {failures[:3]}")


async def aio():
    import aiokafka

    settings = {"bootstrap_servers": BROKER, "acks": "all", "linger_ms": 20}
    if USER:
        settings |= {"security_protocol": "SASL_SSL", "ssl_context": ssl.create_default_context(cafile=AUTHORITY)}
        settings |= {"sasl_mechanism": "PLAIN", "sasl_plain_username": USER, "sasl_plain_password": PASSWORD}
    if VARIANT == "gzip":
        settings |= {"compression_type": "gzip"}
    if VARIANT == "idempotent":
        settings |= {"enable_idempotence": True}
    async with aiokafka.AIOKafkaProducer(**settings) as producer:
        sent = [(key, await producer.send(TOPIC, value, key=key.encode())) for key, value in events("aio")]
        for key, answer in sent:
            await answer
            print("acked", key)


if sys.argv[1] == "confluent":
    confluent()
else:
    asyncio.run(aio())
