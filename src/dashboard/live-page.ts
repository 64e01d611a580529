/** Returns the page of a run that goes on. */
export async function livePage(
  outputDir: string,
  live: { eventsUrl: string; token: string },
): Promise<string> {
  return `<!doctype html><title>${outputDir.length}</title><script type="application/json">${JSON.stringify(live)}</script>`;
}
