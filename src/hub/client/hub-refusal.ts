/** An answer of the Hub with an HTTP status of failure. Internal: `withRetries` turns it into an AdaptiveTrainerError. */
export class HubRefusal extends Error {
  readonly status: number;

  private constructor(
    readonly facts: { status: number; errorCode: string | null; message: string },
    /** What Retry-After says, or RateLimit where there is none: seconds or a date. */
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
      headers.get('retry-after') ?? untilReset(headers.get('ratelimit')),
    );
  }
}

/**
 * Seconds until the Hub takes requests again, from a RateLimit header such as `"resolvers";r=0;t=42`: those of the limit
 * that is used up, the longest where there are several.
 */
function untilReset(header: string | null): string | null {
  const limits = (header ?? '').split(',').map((limit) => {
    const parameter = (name: string) => new RegExp(`;\\s*${name}\\s*=\\s*(\\d+)\\s*(?:;|$)`).exec(limit)?.[1];
    return { left: parameter('r'), seconds: parameter('t') };
  });
  const used = limits.filter(({ left, seconds }) => seconds !== undefined && (left ?? '0') === '0');
  return used.length === 0 ? null : String(Math.max(...used.map(({ seconds }) => Number(seconds))));
}

function messageOf(body: string): string {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    return typeof error === 'string' ? error : typeof message === 'string' ? message : '';
  } catch {
    return ''; // the HTML of a proxy is no message
  }
}
