// Fills a topic with records that cannot be compressed, round and round over its partitions.
//
// usage: Fill.java HOST:PORT TOPIC PARTITIONS RECORDS BYTES BATCH-BYTES

import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Fill {
    public static void main(String[] given) throws Exception {
        String topic = given[1];
        int partitions = Integer.parseInt(given[2]), bytes = Integer.parseInt(given[4]);
        long records = Long.parseLong(given[3]);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", given[0]))) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
        Map<String, Object> settings = Map.of("bootstrap.servers", given[0], "acks", "all", "batch.size", given[5], "linger.ms", "50");
        AtomicReference<Exception> failed = new AtomicReference<>();
        SplittableRandom random = new SplittableRandom(5);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long number = 0; number < records && failed.get() == null; number++) {
                byte[] value = new byte[bytes];
                random.nextBytes(value);
                int partition = (int) (number % partitions);
                producer.send(new ProducerRecord<>(topic, partition, null, value), (place, error) -> failed.compareAndSet(null, error));
            }
        }
        if (failed.get() != null) throw failed.get();
    }
}
