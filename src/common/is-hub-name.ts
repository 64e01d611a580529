/** True for what may name a repository: `owner/name` or `name`, by the Hub's rules for names. */
export function isHubName(text: string): boolean {
  return (
    text.length <= 96 && /^(\w[\w.-]*\/)?\w[\w.-]*$/.test(text) && !/--|\.\.|[-.]$|[-.]\/|\.git$/.test(text)
  );
}
