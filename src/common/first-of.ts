const shown = 10;

/** The first ten names, and how many there are besides: `a, b and 3 more`. */
export function firstOf(names: readonly string[]): string {
  const first = names.slice(0, shown).join(', ');
  return names.length <= shown ? first : `${first} and ${names.length - shown} more`;
}
