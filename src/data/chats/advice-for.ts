import { asObject } from './as-object.js';

type Row = Readonly<Record<string, unknown>>;

/** What to write into the configuration for a row of columns that are not known: something that works for this row. */
export function adviceFor(row: Row): string {
  const names = Object.keys(row);
  const isHeaderMissing = names.length > 1 && names.every(isSaid);
  const header =
    ' Where these are the values of a row: put a line with names in front of it, such as prompt,response.';
  return `${columnsFor(row, names)}${isHeaderMissing ? header : ''}`;
}

function columnsFor(row: Row, names: readonly string[]): string {
  const texts = names.filter((name) => typeof row[name] === 'string');
  if ('chosen' in row && 'rejected' in row)
    return `It is a row of preferences. To train on what was chosen: ${ofChosen(row)}.`;
  const messages = names.find((name) => isMessages(row[name]));
  if (messages !== undefined) return say({ messages });
  const [user, assistant] = texts;
  const rows = names.find((name) => isRows(row[name]));
  if (rows !== undefined && assistant === undefined)
    return `Its rows seem to be in the list ${JSON.stringify(rows)}: write that list alone into the file.`;
  if (user === undefined) {
    return (
      'Make a chat of it with a function: dataProcessingFunction: (sample) => [userText, assistantText], of whatever sample ' +
      'holds.'
    );
  }
  if (assistant === undefined) return say({ text: user });
  return (
    `${say({ user, assistant }).slice(0, -1)}, or with a function: ` +
    `dataProcessingFunction: (sample) => [sample${member(user)}, sample${member(assistant)}].`
  );
}

function ofChosen(row: Row): string {
  if (isMessages(row['chosen']) && isMessages(row['prompt']))
    return 'dataProcessingFunction: (sample) => [...sample.prompt, ...sample.chosen]';
  if (isMessages(row['chosen']))
    return '"columns": { "messages": "chosen" } in datasetsKwargs (datasets_kwargs)';
  const user = ['prompt', 'question', 'instruction', 'input'].find((name) => typeof row[name] === 'string');
  if (user === undefined) return '"columns": { "text": "chosen" } in datasetsKwargs (datasets_kwargs)';
  return `"columns": { "user": "${user}", "assistant": "chosen" } in datasetsKwargs (datasets_kwargs)`;
}

function isMessages(value: unknown): boolean {
  const isMessage = (one: unknown) =>
    typeof one === 'object' && one !== null && ('role' in one || 'from' in one);
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

/** Whether a value holds rows in place of being one. */
function isRows(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    !isMessages(value) &&
    value.every((one) => asObject(one) !== undefined)
  );
}

/** Whether the name of a column reads as what somebody said. */
function isSaid(name: string): boolean {
  return /[.?!]$/.test(name) || /\S\s+\S+\s+\S/.test(name);
}

function say(columns: Readonly<Record<string, string>>): string {
  const list = Object.entries(columns).map(([use, name]) => `"${use}": ${JSON.stringify(name)}`);
  return `Say which columns to read in datasetsKwargs (datasets_kwargs), "columns": { ${list.join(', ')} }.`;
}

function member(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
