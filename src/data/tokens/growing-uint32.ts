const blockLength = 1 << 16;

/** A list of numbers from 0 to 2³² − 1 that grows, at four bytes each. */
export class GrowingUint32 {
  // In blocks: a growing array would now and then be there twice.
  private blocks: Uint32Array[] = [];
  private room = 0;
  length = 0;

  append(more: Uint32Array): void {
    let from = 0;
    while (from < more.length) {
      if (this.room === 0) {
        // The first ones are small, for most lists are.
        this.room = Math.min(blockLength, Math.max(256, this.length + from));
        this.blocks.push(new Uint32Array(this.room));
      }
      const block = this.blocks.at(-1)!;
      const count = Math.min(this.room, more.length - from);
      block.set(more.subarray(from, from + count), block.length - this.room);
      this.room -= count;
      from += count;
    }
    this.length += more.length;
  }

  /** What came together; then it is empty. */
  take(): Uint32Array {
    const all = new Uint32Array(this.length);
    let at = 0;
    for (const block of this.blocks.splice(0)) {
      all.set(block.subarray(0, Math.min(block.length, all.length - at)), at);
      at += block.length;
    }
    [this.length, this.room] = [0, 0];
    return all;
  }
}
