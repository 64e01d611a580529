import type { ReportData } from '../src/report/run-report.js';

/** What the two models that are set beside each other are called. */
export interface SideNames {
  before: string;
  after: string;
}

/** A run has a model before and after; elsewhere one model is set beside another. */
export function sideNames({ kind }: ReportData): SideNames {
  return kind === 'run'
    ? { before: 'Before', after: 'After' }
    : { before: 'The other model', after: 'This model' };
}
