/** A repository of the Hub. */
export interface HubRepo {
  readonly type: 'model' | 'dataset';
  /** `owner/name`, or the bare name of an old one such as `gpt2`. */
  readonly name: string;
}
