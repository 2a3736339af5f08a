package nexmark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.LookupTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.connector.source.lookup.LookupFunctionProvider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.columnar.ColumnarRowData;
import org.apache.flink.table.data.columnar.vector.VectorizedColumnBatch;
import org.apache.flink.table.functions.LookupFunction;
import org.apache.flink.table.types.DataType;

/** A table in memory: only the columns that a query reads are given; one BIGINT can be looked up. */
final class MemoryTable implements ScanTableSource, LookupTableSource, SupportsProjectionPushDown {
    private final String path;
    private List<String> columns;

    MemoryTable(String path, List<String> columns) {
        this.path = path;
        this.columns = columns;
    }

    /** The parts of a table, in the order of their numbers; what is not in memory yet is read. */
    static List<String> parts(String path, List<String> columns) {
        try (Stream<Path> found = Files.list(Path.of(path))) {
            List<String> parts = found.map(Path::toString).sorted().toList();
            parts.forEach(part -> Columns.of(Path.of(part), columns));
            return parts;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        return SourceProvider.of(new MemorySource(parts(path, columns), columns));
    }

    @Override
    public LookupRuntimeProvider getLookupRuntimeProvider(LookupContext context) {
        int[][] keys = context.getKeys();
        if (keys.length != 1) {
            throw new UnsupportedOperationException("a table in memory is looked up by one column");
        }
        return LookupFunctionProvider.of(new Lookup(path, new ArrayList<>(columns), keys[0][0]));
    }

    @Override
    public boolean supportsNestedProjection() {
        return false;
    }

    @Override
    public void applyProjection(int[][] wanted, DataType produced) {
        columns = Stream.of(wanted).map(place -> columns.get(place[0])).toList();
    }

    @Override
    public DynamicTableSource copy() {
        return new MemoryTable(path, columns);
    }

    @Override
    public String asSummaryString() {
        return MemoryFactory.IDENTIFIER;
    }

    /** Rows by a number, in a hash table that each task makes when it is opened. */
    public static final class Lookup extends LookupFunction {
        private static final long serialVersionUID = 1;

        private final String path;
        private final ArrayList<String> columns;
        private final int key;
        private transient Map<Long, List<RowData>> rows;

        Lookup(String path, ArrayList<String> columns, int key) {
            this.path = path;
            this.columns = columns;
            this.key = key;
        }

        @Override
        public void open(org.apache.flink.table.functions.FunctionContext context) {
            rows = new HashMap<>();
            for (String part : parts(path, columns)) {
                VectorizedColumnBatch batch = Columns.of(Path.of(part), columns);
                for (int row = 0; row < batch.getNumRows(); row++) {
                    rows.computeIfAbsent(batch.getLong(row, key), absent -> new ArrayList<>(1))
                            .add(new ColumnarRowData(batch, row));
                }
            }
        }

        @Override
        public Collection<RowData> lookup(RowData keys) {
            return keys.isNullAt(0) ? List.of() : rows.getOrDefault(keys.getLong(0), List.of());
        }
    }
}
