package nexmark;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceEnumerator;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceReaderBase;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;

/** A bounded source of rows that are in memory: each part of a table is a split. It takes no part in checkpoints. */
final class MemorySource implements Source<RowData, MemorySource.Part, Collection<MemorySource.Part>> {
    private static final long serialVersionUID = 1;

    private final ArrayList<String> parts;
    private final ArrayList<String> columns;

    MemorySource(List<String> parts, List<String> columns) {
        this.parts = new ArrayList<>(parts);
        this.columns = new ArrayList<>(columns);
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, Part> createReader(SourceReaderContext context) {
        return new Reader(context);
    }

    @Override
    public SplitEnumerator<Part, Collection<Part>> createEnumerator(SplitEnumeratorContext<Part> context) {
        List<Part> splits = new ArrayList<>();
        for (String part : parts) {
            splits.add(new Part(part, columns));
        }
        return new IteratorSourceEnumerator<>(context, splits);
    }

    @Override
    public SplitEnumerator<Part, Collection<Part>> restoreEnumerator(
            SplitEnumeratorContext<Part> context, Collection<Part> left) {
        return new IteratorSourceEnumerator<>(context, left);
    }

    @Override
    public SimpleVersionedSerializer<Part> getSplitSerializer() {
        return new PartSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Collection<Part>> getEnumeratorCheckpointSerializer() {
        return new NoCheckpoints();
    }

    /** A directory of columns, and which of them are wanted. */
    record Part(String path, List<String> columns) implements IteratorSourceSplit<RowData, Rows> {
        @Override
        public String splitId() {
            return path;
        }

        @Override
        public Rows getIterator() {
            return new Rows(Columns.of(Path.of(path), columns));
        }

        @Override
        public IteratorSourceSplit<RowData, Rows> getUpdatedSplitForIterator(Rows iterator) {
            return this;
        }
    }

    /** One row object that moves. */
    static final class Rows implements Iterator<RowData> {
        private final ColumnarRowData row;
        private final int count;
        private int next;

        Rows(VectorizedColumnBatch batch) {
            row = new ColumnarRowData(batch);
            count = batch.getNumRows();
        }

        @Override
        public boolean hasNext() {
            return next < count;
        }

        @Override
        public RowData next() {
            if (next >= count) {
                throw new NoSuchElementException();
            }
            row.setRowId(next++);
            return row;
        }
    }

    private static final class Reader extends IteratorSourceReaderBase<RowData, RowData, Rows, Part> {
        Reader(SourceReaderContext context) {
            super(context);
        }

        @Override
        public void start() {
            Clock.begin();
            super.start();
        }

        @Override
        protected RowData convert(RowData row) {
            return row;
        }
    }

    /** Nothing of an enumerator is ever stored. */
    private static final class NoCheckpoints implements SimpleVersionedSerializer<Collection<Part>> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Collection<Part> parts) {
            throw new UnsupportedOperationException("events in memory are read without checkpoints");
        }

        @Override
        public Collection<Part> deserialize(int version, byte[] bytes) {
            throw new UnsupportedOperationException("events in memory are read without checkpoints");
        }
    }

    /** The path and the names of the columns, in lines. */
    private static final class PartSerializer implements SimpleVersionedSerializer<Part> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Part part) {
            return (part.path() + "\n" + String.join("\n", part.columns())).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public Part deserialize(int version, byte[] bytes) {
            List<String> lines = new String(bytes, StandardCharsets.UTF_8).lines().toList();
            return new Part(lines.get(0), lines.subList(1, lines.size()));
        }
    }
}
