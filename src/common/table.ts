import stringWidth from 'fast-string-width';

/**
 * An aligned text table without a trailing newline: headers, a rule, rows. A column whose cells are all numbers (or
 * empty) is aligned to the right. Wide characters and colour codes count as wide as they look.
 * @param rows cells as text; a row may be shorter than the headers
 */
export function renderTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = headers.map((header, index) => {
    const cells = rows.map((row) => row[index] ?? '');
    const width = Math.max(stringWidth(header), ...cells.map((cell) => stringWidth(cell)));
    const right =
      cells.length > 0 &&
      cells.every((cell) => cell === '' || /^[-−+]?[\d.,]+(e[-+]?\d+)?\s?%?$/i.test(cell));
    return { width, right };
  });
  const line = (cells: readonly string[]) =>
    columns
      .map(({ width, right }, index) => {
        const cell = cells[index] ?? '';
        const space = ' '.repeat(width - stringWidth(cell));
        return right ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  const rule = columns.map(({ width }) => '─'.repeat(width)).join('  ');
  return [line(headers), rule, ...rows.map(line)].join('\n');
}
