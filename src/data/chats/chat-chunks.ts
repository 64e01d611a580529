import { losslessJson } from '../../common/lossless-json.js';
import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { BadRow } from '../../events/dataset-report.js';
import type { Sample } from '../sources/dataset-source.js';
import type { EventLoopPacer } from '../tokens/event-loop-pacer.js';
import { badRow } from './bad-row.js';
import { sampleToChat } from './sample-to-chat.js';

/** Chats of neighbouring rows, on their way to be tokenized. */
export interface ChatChunk {
  /** A JSON list of chats: what threads can be handed, and hashed, and kept on disk. */
  text: string;
  /** Index and place of the row of each chat. */
  rows: { index: number; where: string }[];
  /** Rows of this chunk that could not be read. */
  bad: BadRow[];
  /** Columns of text or lists that were met for the first time and not looked at. */
  ignored: string[];
  /** What of the configuration is not used for rows of this chunk; see `SampleChat`. */
  remarks: string[];
  /** Rows read so far, of which some were skipped. */
  read: number;
  skipped: number;
  /** How much of the split was read, 0 to 1. */
  done: number;
}

const chunkRows = 128;
const chunkCharacters = 1 << 17;

/**
 * Reads the rows of a split and makes chats of them. Processing functions are the user's and run here, once a row.
 *
 * @throws AdaptiveTrainerError `DATASET_INVALID`, naming dataset and row
 */
export async function* chatChunks(
  plan: DatasetPlan,
  samples: AsyncIterable<Sample>,
  pacer: EventLoopPacer,
): AsyncGenerator<ChatChunk> {
  let texts: string[] = [];
  const nothing = (): Pick<ChatChunk, 'rows' | 'bad' | 'ignored' | 'remarks'> => ({
    rows: [],
    bad: [],
    ignored: [],
    remarks: [],
  });
  let open = nothing();
  let [characters, read, skipped, done] = [0, 0, 0, 0];
  const told = new Set<string>();
  const take = (): ChatChunk => {
    const chunk = { text: `[${texts.join(',')}]`, ...open, read, skipped, done };
    [texts, open, characters] = [[], nothing(), 0];
    return chunk;
  };
  for await (const sample of samples) {
    const made = await sampleToChat(plan, sample).catch((error: unknown) =>
      badRow.orThrow(plan, sample, error),
    );
    read++;
    done = sample.done;
    if (made === null) {
      skipped++;
    } else if ('reason' in made) {
      open.bad.push(made);
    } else {
      const text = losslessJson.stringify(made.chat);
      texts.push(text);
      open.rows.push({ index: sample.index, where: sample.where });
      open.ignored.push(...made.ignored.filter((column) => !told.has(column)));
      made.ignored.forEach((column) => told.add(column));
      if (open.remarks.length === 0) open.remarks.push(...made.remarks);
      characters += text.length;
    }
    if (open.rows.length + open.bad.length >= chunkRows || characters >= chunkCharacters) yield take();
    await pacer.breathe();
  }
  done = 1;
  yield take();
}
