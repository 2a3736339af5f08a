package nexmark;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** What a job takes from the moment at which its first reader begins: neither planning nor the start of a cluster is in it. */
public final class Clock {
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final HotSpotDiagnosticMXBean MACHINE =
            ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);

    private static long began;
    private static long processor;

    private Clock() {}

    /** The next reader that begins is the first. */
    public static synchronized void reset() {
        began = 0;
    }

    static synchronized void begin() {
        if (began == 0) {
            processor = SYSTEM.getProcessCpuTime();
            began = System.nanoTime();
        }
    }

    /** Seconds by the clock and of the processor since then, as a text of two numbers. */
    public static synchronized String read() {
        double seconds = (System.nanoTime() - began) / 1e9;
        return seconds + " " + (SYSTEM.getProcessCpuTime() - processor) / 1e9;
    }

    /** Collects garbage and gives what the heap does not need back to the system, so that a peak is that of what follows. */
    public static void trim() {
        String[] given = {value("MinHeapFreeRatio"), value("MaxHeapFreeRatio")};
        MACHINE.setVMOption("MinHeapFreeRatio", "0");
        MACHINE.setVMOption("MaxHeapFreeRatio", "0");
        System.gc();
        System.gc();
        MACHINE.setVMOption("MaxHeapFreeRatio", given[1]);
        MACHINE.setVMOption("MinHeapFreeRatio", given[0]);
    }

    private static String value(String option) {
        return MACHINE.getVMOption(option).getValue();
    }
}
