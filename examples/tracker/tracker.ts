// tracker.ts <config.json> <course.csv>
import { createWriteStream, type WriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { parseConfig, trainAdaptively, type Tracker, type TrainingEvent } from 'adaptive-trainer';

/** Writes the course of a run as CSV. Events are told in order, each awaited: docs/events.md lists them. */
class CsvTracker implements Tracker {
  readonly name = 'CSV';
  private readonly file: WriteStream;

  constructor(path: string) {
    this.file = createWriteStream(path);
    this.file.write('step,epoch,loss,learningRate,evalLoss\n');
  }

  async onEvent(event: TrainingEvent): Promise<void> {
    if (event.type === 'log') await this.write([event.step, event.epoch, event.loss, event.learningRate, '']);
    if (event.type === 'evaluate') await this.write([event.step, event.epoch, '', '', event.loss]);
  }

  async close(): Promise<void> {
    this.file.end();
    await once(this.file, 'finish');
  }

  private async write(row: readonly (string | number)[]): Promise<void> {
    if (!this.file.write(`${row.join(',')}\n`)) await once(this.file, 'drain');
  }
}

const [configPath = './config.json', csvPath = './course.csv'] = process.argv.slice(2);
const config = parseConfig(JSON.parse(await readFile(configPath, 'utf8')));
console.log(await trainAdaptively(config, { progress: false, trackers: [new CsvTracker(csvPath)] }));
