import type { DatasetPlan } from '../../config/datasets/dataset-plan.js';
import type { Sample } from '../sources/dataset-source.js';
import type { EventLoopPacer } from '../tokens/event-loop-pacer.js';
import { sampleToChat } from './sample-to-chat.js';

/** Chats of neighbouring rows, on their way to be tokenized. */
export interface ChatChunk {
  /** A JSON list of chats: what threads can be handed, and hashed, and kept on disk. */
  text: string;
  /** Index and place of the row of each chat. */
  rows: { index: number; where: string }[];
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
  let rows: ChatChunk['rows'] = [];
  let [characters, read, skipped, done] = [0, 0, 0, 0];
  const take = (): ChatChunk => {
    const chunk = { text: `[${texts.join(',')}]`, rows, read, skipped, done };
    [texts, rows, characters] = [[], [], 0];
    return chunk;
  };
  for await (const sample of samples) {
    const chat = await sampleToChat(plan, sample);
    read++;
    done = sample.done;
    if (chat === null) {
      skipped++;
    } else {
      const text = JSON.stringify(chat);
      texts.push(text);
      rows.push({ index: sample.index, where: sample.where });
      characters += text.length;
    }
    if (rows.length >= chunkRows || characters >= chunkCharacters) yield take();
    await pacer.breathe();
  }
  done = 1;
  yield take();
}
