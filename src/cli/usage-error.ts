/** The command line itself is wrong; ends the program with status 2. */
export class UsageError extends Error {
  constructor(
    message: string,
    /** The help of the command that was used. */
    readonly help: string,
  ) {
    super(message);
    this.name = 'UsageError';
  }
}
