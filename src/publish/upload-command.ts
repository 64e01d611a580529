/** The command that uploads a folder, ready to be pasted into a shell. */
export function uploadCommand(folder: string, repo: string, isPrivate: boolean, message?: string): string {
  const parts = ['adaptive-trainer', 'upload', folder, repo];
  if (isPrivate) parts.push('--private');
  if (message !== undefined) parts.push('--message', message);
  return parts.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
