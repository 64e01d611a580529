/** What is along the bottom of the charts. */
export type XAxis = 'step' | 'epoch' | 'minutes';

/** How all charts are seen. */
export interface View {
  x: XAxis;
  /** Share of the mean that each step keeps of those before it, 0 to 0.99. */
  smoothing: number;
  zoom: readonly [min: number, max: number] | null;
  /** Whether losses are on a logarithmic scale. */
  isLog: boolean;
}

type Listener = (view: View, change: Partial<View>) => void;

/** The view, and who follows it. */
export class SharedView {
  private readonly listeners: Listener[] = [];

  constructor(private current: View) {}

  get value(): View {
    return this.current;
  }

  set(change: Partial<View>): void {
    this.current = { ...this.current, ...change };
    for (const listener of this.listeners) listener(this.current, change);
  }

  /** Has `listener` called with each change, not now. */
  follow(listener: Listener): void {
    this.listeners.push(listener);
  }
}
