/** Passes on an event when it is final or enough time has passed since the last one. */
export function atMostEvery<T>(
  ms: number,
  listener: (event: T) => void,
  isFinal: (event: T) => boolean,
): (event: T) => void {
  let last = -Infinity;
  return (event) => {
    const now = performance.now();
    if (now - last < ms && !isFinal(event)) return;
    last = now;
    listener(event);
  };
}
