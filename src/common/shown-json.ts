/** A value read from a file as JSON for an error message, cut to `longest` characters. It may be nested too deep for JSON.stringify. */
export function shownJson(value: unknown, longest = 80): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'nothing';
  } catch {
    return 'a value that is nested too deep to be shown';
  }
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
