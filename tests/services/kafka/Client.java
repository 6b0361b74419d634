// Kafka's own client, told what to do by lines of JSON and answering each with one: what tests and demos judge strongroom by.
//
// usage: Client.java HOST:PORT
//
// A question has `do`, an answer what it brought or `error`. Keys, values and the values of headers are Base64, or null. A
// record is {"partition", "offset", "ts", "key", "value", "headers": [[name, value], …]}; offsets are [topic, partition, offset].

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Client {
    static final int SECONDS_MAX = 30;
    static final Duration POLL = Duration.ofMillis(300);
    static final ObjectMapper JSON = new ObjectMapper();

    final String servers;
    final Admin admin;
    final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    KafkaConsumer<byte[], byte[]> member;

    Client(String servers) {
        this.servers = servers;
        admin = Admin.create(Map.of("bootstrap.servers", servers, "default.api.timeout.ms", SECONDS_MAX * 1000));
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // nothing but answers goes there
        Client client = new Client(arguments[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                client.answer(JSON.readTree(line), answer);
            } catch (Exception error) {
                Throwable cause = error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
                answer = JSON.createObjectNode().put("error", cause.toString());
            }
            out.println(JSON.writeValueAsString(answer));
        }
        System.exit(0); // whatever is still open has nobody to talk to
    }

    void answer(JsonNode asked, ObjectNode answer) throws Exception {
        switch (asked.get("do").asText()) {
            case "create" -> create(asked);
            case "delete" -> got(admin.deleteTopics(texts(asked.get("topics"))).all());
            case "delete-records" -> deleteRecords(asked);
            case "topics" -> got(admin.listTopics().names()).forEach(answer.putArray("topics")::add);
            case "groups" -> groups(answer.putArray("groups"));
            case "describe" -> describe(asked.get("topic").asText(), answer);
            case "produce" -> produce(asked, answer.putArray("records"));
            case "read" -> read(asked, answer);
            case "commit" -> got(admin.alterConsumerGroupOffsets(asked.get("group").asText(), offsets(asked.get("offsets"))).all());
            case "committed" -> committed(asked.get("group").asText(), answer.putArray("offsets"));
            case "join" -> join(asked);
            case "poll" -> poll(answer.putArray("records"));
            case "commit-polled" -> commitPolled(answer.putArray("offsets"));
            case "leave" -> leave();
            default -> throw new IllegalArgumentException("nothing is known of " + asked);
        }
    }

    /** {"topic", "partitions", "configs": {name: value}} */
    void create(JsonNode asked) throws Exception {
        Map<String, String> configs = new HashMap<>();
        asked.path("configs").fields().forEachRemaining(one -> configs.put(one.getKey(), one.getValue().asText()));
        short replicas = (short) asked.path("replicas").asInt(1);
        NewTopic topic = new NewTopic(asked.get("topic").asText(), asked.get("partitions").asInt(), replicas).configs(configs);
        got(admin.createTopics(List.of(topic)).all());
    }

    /** {"topic", "partition", "before"}: the log starts at offset `before` then. */
    void deleteRecords(JsonNode asked) throws Exception {
        TopicPartition place = new TopicPartition(asked.get("topic").asText(), asked.get("partition").asInt());
        got(admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(asked.get("before").asLong()))).all());
    }

    @SuppressWarnings("removal") // 3.x has no other name for it
    void groups(ArrayNode answer) throws Exception {
        got(admin.listConsumerGroups().all()).forEach(group -> answer.add(group.groupId()));
    }

    /** The number of partitions, their leaders, and the configs that are the topic's own. */
    void describe(String topic, ObjectNode answer) throws Exception {
        TopicDescription found = got(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
        answer.put("partitions", found.partitions().size()).put("id", found.topicId().toString());
        ArrayNode leaders = answer.putArray("leaders");
        found.partitions().forEach(partition -> leaders.add(partition.leader() == null ? -1 : partition.leader().id()));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        ObjectNode configs = answer.putObject("configs");
        for (ConfigEntry entry : got(admin.describeConfigs(List.of(resource)).all()).get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                configs.put(entry.name(), entry.value());
            }
        }
    }

    /** {"topic", "codec", "transaction": "commit" | "abort" | "open", "records"}: returns once all are acknowledged. */
    void produce(JsonNode asked, ArrayNode answer) throws Exception {
        String transaction = asked.path("transaction").asText("");
        KafkaProducer<byte[], byte[]> producer = producer(asked.path("codec").asText("none"), !transaction.isEmpty());
        if (!transaction.isEmpty()) {
            producer.beginTransaction();
        }
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : asked.get("records")) {
            sent.add(producer.send(produced(asked.get("topic").asText(), record)));
        }
        producer.flush();
        for (Future<RecordMetadata> one : sent) {
            RecordMetadata data = one.get(SECONDS_MAX, TimeUnit.SECONDS);
            answer.addObject().put("partition", data.partition()).put("offset", data.offset()).put("ts", data.timestamp());
        }
        if (transaction.equals("commit")) {
            producer.commitTransaction();
        } else if (transaction.equals("abort")) {
            producer.abortTransaction();
        }
    }

    KafkaProducer<byte[], byte[]> producer(String codec, boolean transactional) {
        return producers.computeIfAbsent(codec + transactional, unused -> {
            Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", servers, "compression.type", codec, "acks", "all",
                "linger.ms", 2000, "batch.size", 1 << 20, "max.request.size", 8 << 20, "delivery.timeout.ms", SECONDS_MAX * 1000,
                "request.timeout.ms", 10_000, "max.block.ms", SECONDS_MAX * 1000));
            if (transactional) {
                settings.put("transactional.id", "client-" + ProcessHandle.current().pid() + "-" + codec);
            }
            var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
            if (transactional) {
                producer.initTransactions();
            }
            return producer;
        });
    }

    static ProducerRecord<byte[], byte[]> produced(String topic, JsonNode record) throws Exception {
        Integer partition = record.hasNonNull("partition") ? record.get("partition").asInt() : null;
        Long time = record.hasNonNull("ts") ? record.get("ts").asLong() : null;
        var made = new ProducerRecord<>(topic, partition, time, bytes(record.get("key")), bytes(record.get("value")));
        for (JsonNode header : record.path("headers")) {
            made.headers().add(header.get(0).asText(), bytes(header.get(1)));
        }
        return made;
    }

    /** {"topic", "isolation"}: every record that there is, with where each partition starts and ends. */
    void read(JsonNode asked, ObjectNode answer) {
        Map<String, Object> settings = settings();
        settings.put("isolation.level", asked.path("isolation").asText("read_committed"));
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> places = new ArrayList<>();
            consumer.partitionsFor(asked.get("topic").asText()).forEach(one -> places.add(new TopicPartition(one.topic(), one.partition())));
            Map<TopicPartition, Long> ends = new TreeMap<>(Client::compare);
            ends.putAll(consumer.endOffsets(places));
            bounds(consumer.beginningOffsets(places), answer.putObject("start"));
            bounds(ends, answer.putObject("end"));
            consumer.assign(places);
            consumer.seekToBeginning(places);
            ArrayNode records = answer.putArray("records");
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_MAX);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                if (System.nanoTime() > until) {
                    throw new IllegalStateException("the end was not reached within " + SECONDS_MAX + " s");
                }
                consumer.poll(POLL).forEach(record -> add(record, records));
            }
        }
    }

    static void bounds(Map<TopicPartition, Long> offsets, ObjectNode answer) {
        offsets.forEach((place, offset) -> answer.put(Integer.toString(place.partition()), offset));
    }

    static int compare(TopicPartition one, TopicPartition other) {
        return Integer.compare(one.partition(), other.partition());
    }

    Map<String, Object> settings() {
        return new HashMap<>(Map.of("bootstrap.servers", servers, "enable.auto.commit", false, "auto.offset.reset", "earliest",
            "max.poll.records", 500, "default.api.timeout.ms", SECONDS_MAX * 1000));
    }

    /** {"group", "topics", "max"}: becomes the group's member, as Nuxeo's consumers are: what has no commit is read from its start. */
    void join(JsonNode asked) {
        leave();
        Map<String, Object> settings = settings();
        settings.put("group.id", asked.get("group").asText());
        settings.put("max.poll.records", asked.path("max").asInt(500));
        member = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        member.subscribe(texts(asked.get("topics")));
    }

    /** Records, and how many partitions the member has: it has none while the group agrees. */
    void poll(ArrayNode answer) {
        member.poll(POLL).forEach(record -> add(record, answer));
        if (member.assignment().isEmpty() && answer.isEmpty()) {
            member.poll(POLL).forEach(record -> add(record, answer));
        }
    }

    void commitPolled(ArrayNode answer) {
        Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
        member.assignment().forEach(place -> positions.put(place, new OffsetAndMetadata(member.position(place))));
        member.commitSync(positions);
        positions.forEach((place, offset) -> add(place, offset, answer));
    }

    void leave() {
        if (member != null) {
            member.close(); // without a commit
            member = null;
        }
    }

    void committed(String group, ArrayNode answer) throws Exception {
        got(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).forEach((place, offset) -> {
            if (offset != null) {
                add(place, offset, answer);
            }
        });
    }

    static void add(TopicPartition place, OffsetAndMetadata offset, ArrayNode answer) {
        answer.addArray().add(place.topic()).add(place.partition()).add(offset.offset());
    }

    static void add(ConsumerRecord<byte[], byte[]> record, ArrayNode answer) {
        ObjectNode one = answer.addObject().put("topic", record.topic()).put("partition", record.partition());
        one.put("offset", record.offset()).put("ts", record.timestamp()).put("time", record.timestampType().name);
        one.put("key", text(record.key())).put("value", text(record.value()));
        ArrayNode headers = one.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(text(header.value()));
        }
    }

    static Map<TopicPartition, OffsetAndMetadata> offsets(JsonNode asked) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (JsonNode one : asked) {
            offsets.put(new TopicPartition(one.get(0).asText(), one.get(1).asInt()), new OffsetAndMetadata(one.get(2).asLong()));
        }
        return offsets;
    }

    static Collection<String> texts(JsonNode asked) {
        List<String> texts = new ArrayList<>();
        asked.forEach(one -> texts.add(one.asText()));
        return texts;
    }

    static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    static <T> T got(KafkaFuture<T> future) throws Exception {
        return future.get(SECONDS_MAX, TimeUnit.SECONDS);
    }
}
