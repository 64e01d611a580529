// Reads a file of rows, and prints what came of it and the memory that it took, in MiB.
import { readRows } from '../../src/data/read/read-rows.js';

let [rows, last] = [0, ''];
try {
  for await (const { fault } of readRows(process.argv[2]!)) {
    rows++;
    if (fault !== undefined) last = `fault ${fault.code}: ${fault.message}`;
  }
} catch (error) {
  last = `thrown ${(error as { code?: string }).code}: ${(error as Error).message}`;
}
const peak = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ rows, last, peak }));
