import type { DatasetReport } from '../events/dataset-report.js';
import type { EvaluatedGroup } from '../events/eval-report.js';
import type { InspectReport } from '../events/inspect-report.js';
import type {
  Comparison,
  InspectedRow,
  InspectedSet,
  SampleAnswer,
  TokenOutcome,
} from '../events/token-record.js';
import type {
  AbortedEvent,
  EndEvent,
  ErrorEvent,
  EvaluateEvent,
  LogEvent,
  SamplesEvent,
  StartEvent,
  WarningEvent,
} from '../events/training-event.js';

/** A number of every step, in the order of `step`. null: not finite, or not told at that step. */
export type Column = (number | null)[];

/** What is kept of every step, by name of the number. */
export const stepColumns = [
  'epoch',
  'loss',
  'gradNorm',
  'learningRate',
  'tokens',
  'labelledTokens',
  'tokensPerSecond',
  'secondsPerStep',
  'alpha',
  'beta',
  'divergence',
  'retentionWeight',
  'lossScale',
  'skippedSteps',
] as const;

/** The counts of the adaptive loss that are kept of every step. */
export const countColumns = ['total_tokens', 'already_correct', 'in_top_k', 'outside_top_k'] as const;

export type StepColumn = (typeof stepColumns)[number] | (typeof countColumns)[number];

/** The steps of a run as columns; those that no step told are absent. */
export type StepTable = { step: number[] } & { [Name in StepColumn]?: Column };

/** `broken off`: nobody trains there any more, and no end was told. */
export type RunState = 'preparing' | 'running' | 'completed' | 'aborted' | 'failed' | 'broken off';

/** A setting that is not what it is by default. */
export interface ChangedSetting {
  /** `trainingConfig`, `adaptiveLossConfig`, `peftConfig` or `uploadConfig`. */
  group: string;
  key: string;
  value: unknown;
  default: unknown;
}

/** Judgements of a row, with texts by their place in a list that all rows share. */
export interface PackedJudgements {
  set: InspectedSet;
  row: number;
  outcome: TokenOutcome[];
  probability: number[];
  rank: number[];
  nll: number[];
  /** For each token text and probability by turns: [place, probability, place, probability, …]. */
  choices: number[][];
}

/** Rows as text with what the model makes of their tokens. */
export interface Inspection {
  rows: InspectedRow[];
  /** Absent where only one model looked. */
  before?: PackedJudgements[];
  after?: PackedJudgements[];
  /** The texts that `choices` point to. */
  texts: string[];
  /** Rows that are in the files of the run, where this page has fewer. */
  rowsInAll?: number;
}

/** A start of a run; one that was resumed has several. */
export interface RunStart {
  time?: string;
  /** Steps done before. */
  step: number;
  resumedFrom?: StartEvent['resumedFrom'];
}

/** Everything that a page shows of one run. */
export interface RunReport {
  /** What the run is called on the page, unlike all others there. */
  label: string;
  /** Its output folder, as it was given. */
  folder: string;
  runId?: string;
  state: RunState;
  /** Times of the first and the last event, ISO 8601. */
  began?: string;
  ended?: string;
  start?: StartEvent;
  starts: RunStart[];
  datasets: DatasetReport[];
  samples: SamplesEvent['rows'];
  steps: StepTable;
  /** Steps that the run took, where `steps` has fewer. */
  stepsInAll?: number;
  logs: LogEvent[];
  evaluations: EvaluateEvent[];
  saves: { step: number; path: string; time?: string }[];
  warnings: WarningEvent[];
  outcome?: EndEvent | AbortedEvent | ErrorEvent;
  changed: ChangedSetting[];
  comparison?: Comparison;
  inspection?: Inspection;
  answers?: SampleAnswer[];
  /** What judgements are of, where no run tells it. */
  topK?: number;
  /** On a page of `inspect`: the datasets before any training. */
  inspect?: InspectReport;
  /** On a page of `eval`: each dataset and text to be kept, with intervals. */
  groups?: EvaluatedGroup[];
  /** What could not be read, a sentence each. */
  notes: string[];
}

/** What a page is made of. */
export interface ReportData {
  /** `run`: training; `inspect`: a model before any; `eval`: a saved model, perhaps beside its base. */
  kind: 'run' | 'inspect' | 'eval';
  title: string;
  /** When it was made, ISO 8601. */
  made: string;
  /** Version of this package. */
  version: string;
  runs: RunReport[];
  /** Where the page is served while the run goes on. */
  live?: { eventsUrl: string; token: string };
}
