const [boolTrue, boolFalse, byte, i16, i32, i64, double, binary, list, struct] = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 12,
];
/** Parquet's own structures are nested a dozen deep. */
const deepest = 32;

/**
 * Walks over a structure of Thrift's compact protocol, in which Parquet writes its footer and page headers, without making
 * anything of it: what it declares has to be there. A reader that believes it would make room for a list of millions that a
 * few bytes announce.
 *
 * @throws Error in words, where a length is more than what is left, or it is nested too deep
 */
export function checkThrift(view: DataView, offset: number): void {
  new Walk(view, offset).struct(0);
}

class Walk {
  constructor(
    private readonly view: DataView,
    private offset: number,
  ) {}

  struct(depth: number): void {
    if (depth > deepest) throw new Error(`its description is nested more than ${deepest} deep`);
    for (let header = this.byte(); (header & 0x0f) !== 0; header = this.byte()) {
      if (header >> 4 === 0) this.varint(); // the number of the field, where it is not one of the next fifteen
      this.value(header & 0x0f, depth);
    }
  }

  private value(type: number, depth: number): void {
    switch (type) {
      case boolTrue:
      case boolFalse:
        return;
      case byte:
        return void this.byte();
      case i16:
      case i32:
      case i64:
        return void this.varint();
      case double:
        return this.skip(8);
      case binary:
        return this.skip(this.varint());
      case list:
        return this.list(depth);
      case struct:
        return this.struct(depth + 1);
      default:
        throw new Error(`its description holds a value of an unknown kind (${type})`);
    }
  }

  private list(depth: number): void {
    if (depth > deepest) throw new Error(`its description is nested more than ${deepest} deep`);
    const header = this.byte();
    const size = header >> 4 === 15 ? this.varint() : header >> 4;
    // Each value takes a byte at least; in a list that holds for true and false, too.
    if (size > this.left)
      throw new Error(`its description declares ${size} values where ${this.left} bytes are left`);
    const type = header & 0x0f;
    for (let i = 0; i < size; i++)
      this.value(type === boolTrue || type === boolFalse ? byte : type, depth + 1);
  }

  private get left(): number {
    return this.view.byteLength - this.offset;
  }

  private byte(): number {
    this.skip(1);
    return this.view.getUint8(this.offset - 1);
  }

  private varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const part = this.byte();
      value += (part & 0x7f) * scale;
      if (part < 0x80) return value;
      if (scale > 2 ** 63) throw new Error('its description holds a number of too many digits');
    }
  }

  private skip(bytes: number): void {
    if (!(bytes <= this.left)) throw new Error(`its description ends ${bytes - this.left} bytes early`);
    this.offset += bytes;
  }
}
