import { availableParallelism, cpus, freemem, totalmem } from 'node:os';

/** Measures the machine and the process between two calls, under the names of the official client. */
export class SystemMetrics {
  private before = cpuTimes();

  /** Percentages of the machine, mebibytes of the process. */
  measure(): Record<string, number> {
    const now = cpuTimes();
    const total = now.total - this.before.total;
    const busy = total > 0 ? (100 * (now.busy - this.before.busy)) / total : 0;
    this.before = now;
    const { rss } = process.memoryUsage();
    return {
      cpu: busy,
      memory_percent: 100 * (1 - freemem() / totalmem()),
      'proc.memory.rssMB': rss / 2 ** 20,
      'proc.memory.percent': (100 * rss) / totalmem(),
      'proc.memory.availableMB': freemem() / 2 ** 20,
    };
  }
}

export const machine = { cpuCount: availableParallelism(), memoryBytes: totalmem() };

function cpuTimes(): { busy: number; total: number } {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    total += all;
    busy += all - times.idle;
  }
  return { busy, total };
}
