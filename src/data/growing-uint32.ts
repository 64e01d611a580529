/** A list of numbers from 0 to 2³² − 1 that grows, at four bytes each. */
export class GrowingUint32 {
  private values = new Uint32Array(1024);
  length = 0;

  append(more: Uint32Array): void {
    const needed = this.length + more.length;
    if (needed > this.values.length) {
      const larger = new Uint32Array(Math.max(needed, this.values.length * 2));
      larger.set(this.values.subarray(0, this.length));
      this.values = larger;
    }
    this.values.set(more, this.length);
    this.length = needed;
  }

  /** What is in it, without the room to grow. */
  finish(): Uint32Array {
    return this.values.slice(0, this.length);
  }
}
