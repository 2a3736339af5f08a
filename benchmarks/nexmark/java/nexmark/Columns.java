package nexmark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.BytesColumnVector;
import org.apache.flink.table.data.columnar.vector.ColumnVector;
import org.apache.flink.table.data.columnar.vector.LongColumnVector;
import org.apache.flink.table.data.columnar.vector.TimestampColumnVector;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;

/**
 * Columns of events on the heap, read from files once in the life of the JVM.
 *
 * <p>A column without NULL is a file of little-endian 64-bit numbers ({@code NAME.values}); one of texts has their bytes there and in
 * {@code NAME.offsets} 32-bit numbers, one more than texts. Rows are given as Flink's own readers of column files give them: one
 * {@link ColumnarRowData} that moves over the vectors.
 */
final class Columns {
    private static final ConcurrentHashMap<Path, ColumnVector> READ = new ConcurrentHashMap<>();

    private Columns() {}

    /** A part of a table, with columns in this order. */
    static VectorizedColumnBatch of(Path part, List<String> names) {
        ColumnVector[] vectors = names.stream().map(name -> column(part, name)).toArray(ColumnVector[]::new);
        VectorizedColumnBatch batch = new VectorizedColumnBatch(vectors);
        batch.setNumRows(rows(part));
        return batch;
    }

    private static int rows(Path part) {
        try {
            return Integer.parseInt(Files.readString(part.resolve("rows")).strip());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static ColumnVector column(Path part, String name) {
        return READ.computeIfAbsent(part.resolve(name), path -> read(part, name));
    }

    private static ColumnVector read(Path part, String name) {
        ByteBuffer values = bytes(part.resolve(name + ".values"));
        Path ends = part.resolve(name + ".offsets");
        if (!Files.exists(ends)) {
            long[] numbers = new long[values.remaining() / Long.BYTES];
            values.asLongBuffer().get(numbers);
            return new Numbers(numbers);
        }
        ByteBuffer found = bytes(ends);
        int[] offsets = new int[found.remaining() / Integer.BYTES];
        found.asIntBuffer().get(offsets);
        return new Texts(values.array(), offsets);
    }

    private static ByteBuffer bytes(Path path) {
        try (FileChannel file = FileChannel.open(path)) {
            ByteBuffer read = ByteBuffer.allocate(Math.toIntExact(file.size())).order(ByteOrder.LITTLE_ENDIAN);
            while (read.hasRemaining() && file.read(read) >= 0) {
                continue;
            }
            return read.flip();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** BIGINT as it is, or TIMESTAMP(3) in milliseconds. */
    private record Numbers(long[] numbers) implements LongColumnVector, TimestampColumnVector {
        @Override
        public long getLong(int row) {
            return numbers[row];
        }

        @Override
        public TimestampData getTimestamp(int row, int precision) {
            return TimestampData.fromEpochMillis(numbers[row]);
        }

        @Override
        public boolean isNullAt(int row) {
            return false;
        }
    }

    private record Texts(byte[] bytes, int[] offsets) implements BytesColumnVector {
        @Override
        public Bytes getBytes(int row) {
            return new Bytes(bytes, offsets[row], offsets[row + 1] - offsets[row]);
        }

        @Override
        public boolean isNullAt(int row) {
            return false;
        }
    }
}
