import pc from 'picocolors';
import stringWidth from 'fast-string-width';
import type { DatasetPreview, RowPreview } from '../data/preview-datasets.js';
import { leftOut } from '../data/left-out.js';
import type { TokenRun } from '../data/tokens/token-runs.js';
import { format } from '../common/format.js';

/** How a preview is written for people. */
export interface PreviewTextOptions {
  /** Trained text is green in colours, and stands between `⟦` and `⟧` without. */
  isColored: boolean;
  /** Show long rows whole. */
  isFull: boolean;
  maxLengthToken: number;
  /** Columns of the terminal; Infinity where lines are not to be broken. */
  width: number;
}

type Colors = ReturnType<typeof pc.createColors>;

const longest = 1600; // characters of a row that are shown
const longestPrompt = 300;

/** What datasets become, as text for a terminal. Without a trailing newline. */
export function previewText(previews: readonly DatasetPreview[], options: PreviewTextOptions): string {
  const colors = pc.createColors(options.isColored);
  const legend = options.isColored
    ? `${colors.green('green')}: trained. ${colors.dim('grey')}: read, not trained.`
    : 'Between ⟦ and ⟧: trained. The rest: read, not trained.';
  return [...previews.map((preview) => dataset(preview, options, colors)), legend].join('\n\n');
}

function dataset(preview: DatasetPreview, options: PreviewTextOptions, colors: Colors): string {
  const title = `${preview.name}${preview.limit === null ? '' : `, ${format.count(preview.limit)} rows of it`}`;
  const head = [
    `${colors.bold(printable(title))} ${colors.dim('·')} ${colors.cyan(preview.style)} ${colors.dim(`· ${printable(preview.path)}`)}`,
    ...facts(preview, options).map(([name, value]) => `  ${colors.dim(name.padEnd(10))}${value}`),
  ];
  const rows = preview.rows.map((row) => rowText(row, options, colors));
  return [head.join('\n'), ...rows].join('\n\n');
}

function facts(preview: DatasetPreview, { maxLengthToken, isFull }: PreviewTextOptions): [string, string][] {
  const { counted, isAll, usable, badRows } = preview;
  const count = (rows: number) => `${format.count(rows)} ${rows === 1 ? 'row' : 'rows'}`;
  const looked = isAll ? `all ${count(counted)}` : `the first ${count(counted)}`;
  const dropped = leftOut(preview, maxLengthToken);
  const files = [
    preview.trainFiles !== null && `${preview.trainFiles.length} to train`,
    preview.evalFiles !== null && `${preview.evalFiles.length} to evaluate`,
  ].filter((part) => part !== false);
  const prompt = printable(preview.systemPrompt).replaceAll('\n', '⏎');
  return [
    ['rows', `of ${looked}, ${format.count(usable)} usable`],
    ['dropped', dropped.join(', ') || 'none'],
    ...badRows.map(({ where, reason }): [string, string] => ['', printable(`${where}: ${reason}`)]),
    [
      'tokens',
      `${format.count(preview.meanTokens)} a row on average, ${format.share(preview.trainedShare, 1)} of them trained; ` +
        `the longest row has ${format.count(preview.longest)}`,
    ],
    ...(files.length > 0 ? [['files', files.join(', ')] as [string, string]] : []),
    ['prompt', prompt === '' ? 'none' : JSON.stringify(isFull ? prompt : shortened(prompt, longestPrompt))],
    ...(preview.contextMode === false
      ? []
      : [['context', JSON.stringify(preview.contextMode)] as [string, string]]),
  ];
}

function rowText(row: RowPreview, options: PreviewTextOptions, colors: Colors): string {
  const { isFull, isColored, maxLengthToken, width } = options;
  const trained = `${format.count(row.trainedTokens)} trained`;
  const reasons = {
    'too long': `dropped: more than ${format.count(maxLengthToken)} tokens`,
    'no trained token': 'dropped: no trained token',
  };
  const verdict = row.dropped === null ? '' : ` ${colors.red(`· ${reasons[row.dropped]}`)}`;
  const head = `  ${colors.underline(printable(row.where))} ${colors.dim(`· ${format.count(row.tokens)} tokens, ${trained}`)}${verdict}`;
  const runs = (isFull ? row.runs : cut(row.runs)).map((run) => shownRun(run, isColored));
  const lines = layOut(runs, width - 4);
  const paint = (piece: Piece) => (piece.isTrained ? colors.green(piece.text) : colors.dim(piece.text));
  return [head, ...lines.map((line) => `  ${colors.dim('│')} ${line.map(paint).join('')}`.trimEnd())].join(
    '\n',
  );
}

interface Piece {
  text: string;
  isTrained: boolean;
}

/** A trained line break is made visible: that the model learns to end its turn may hang on such a token. */
function shownRun({ text, isTrained }: TokenRun, isColored: boolean): Piece {
  const safe = printable(text);
  if (!isTrained) return { text: safe, isTrained };
  const marked = safe.replaceAll('\n', '⏎\n');
  return { text: isColored ? marked : `⟦${marked}`.replace(/\n?$/, (end) => `⟧${end}`), isTrained };
}

/** Lines no wider than `width`, each made of pieces, so that a colour runs neither into the next line nor into its edge. */
function layOut(pieces: readonly Piece[], width: number): Piece[][] {
  const lines: Piece[][] = [[]];
  let room = width;
  const put = (text: string, isTrained: boolean) => {
    if (text !== '') lines.at(-1)!.push({ text, isTrained });
  };
  const breakLine = () => {
    lines.push([]);
    room = width;
  };
  for (const { text, isTrained } of pieces) {
    for (const [index, line] of text.split('\n').entries()) {
      if (index > 0) breakLine();
      let taken = '';
      for (const character of line) {
        const wide = stringWidth(character);
        if (wide > room) {
          put(taken, isTrained);
          breakLine();
          taken = '';
        }
        taken += character;
        room -= wide;
      }
      put(taken, isTrained);
    }
  }
  if (lines.length > 1 && lines.at(-1)!.length === 0) lines.pop(); // the text ended with a line break
  return lines;
}

/** Runs of which the longest lose their middle, so that the row stays readable. */
function cut(runs: readonly TokenRun[]): TokenRun[] {
  const total = runs.reduce((sum, run) => sum + run.text.length, 0);
  if (total <= longest) return [...runs];
  const share = Math.max(120, Math.floor(longest / runs.length));
  return runs.map((run) => ({ ...run, text: shortened(run.text, share) }));
}

function shortened(text: string, most: number): string {
  if (stringWidth(text) <= most) return text;
  const half = Math.floor(most / 2);
  const characters = Array.from(text);
  const left = characters.length - 2 * half;
  if (left <= 0) return text;
  return `${characters.slice(0, half).join('')} […${format.count(left)} characters…] ${characters.slice(-half).join('')}`;
}

/** Data may hold anything, codes that move the cursor or change the title of the terminal among it. */
function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    if (character === '\n' || character === '\t') return character;
    const code = character.codePointAt(0)!;
    // Unicode has pictures of the first 32: ␛ for escape.
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
