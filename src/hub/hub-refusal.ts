/** An answer of the Hub that is none of success. Internal: it becomes an AdaptiveTrainerError where attempts are counted. */
export class HubRefusal extends Error {
  readonly status: number;

  private constructor(
    readonly facts: { status: number; errorCode: string | null; message: string },
    readonly retryAfter: string | null,
  ) {
    super(`HTTP ${facts.status}`);
    this.status = facts.status;
  }

  /** Reads what an answer says. */
  static async of(response: Response): Promise<HubRefusal> {
    const { status, headers } = response;
    const message = headers.get('x-error-message') ?? messageOf(await response.text().catch(() => ''));
    return new HubRefusal(
      { status, errorCode: headers.get('x-error-code'), message },
      headers.get('retry-after'),
    );
  }
}

function messageOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    return typeof error === 'string' ? error : typeof message === 'string' ? message : '';
  } catch {
    return ''; // the HTML of a proxy helps nobody
  }
}
