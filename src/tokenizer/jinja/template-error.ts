/** What Python's jinja2 would raise, or why the work was stopped. `kind` is the name of Python's class of errors. */
export class TemplateError extends Error {
  /** The expression that failed. */
  where: { expression: string; line: number } | undefined;

  constructor(
    readonly kind:
      | 'TemplateSyntaxError'
      | 'UndefinedError'
      | 'TypeError'
      | 'ValueError'
      | 'OverflowError'
      | 'ZeroDivisionError'
      | 'SecurityError'
      | 'Raised' // by the template's own raise_exception
      | 'NotSupported' // Python can, this engine cannot
      | 'TooMuchWork',
    message: string,
  ) {
    super(message);
    this.name = 'TemplateError';
  }
}

export const typeError = (message: string) => new TemplateError('TypeError', message);
export const notSupported = (what: string) =>
  new TemplateError('NotSupported', `${what} is not supported here`);
