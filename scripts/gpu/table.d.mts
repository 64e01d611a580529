export interface Measured {
  name: string;
  ms?: number;
  gib?: number;
  tokensPerSecond?: number;
  tflops?: number;
  gbs?: number;
  shareOfProduct?: number;
  shareOfCopy?: number;
  failed?: string;
  missing?: string;
}
export interface Part {
  part: string;
  result: string;
  seconds: number;
}
export function measuredIn(text: string): Measured[];
export function table(parts: readonly Part[], measured: readonly Measured[]): string;
