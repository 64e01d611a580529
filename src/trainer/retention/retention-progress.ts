/** How far the work before the first step is that `retention` and `evalForgetting` ask for. */
export interface RetentionProgress {
  /** `writing`: the base model writes texts; `reading`: its states on them are stored. */
  doing: 'writing' | 'reading';
  /** Rows. */
  done: number;
  total: number;
}
