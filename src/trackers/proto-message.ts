import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A protobuf message under construction. Values that are the default of proto3 are left out. */
export class ProtoMessage {
  private readonly writer = new BinaryWriter();

  int(field: number, value: number): this {
    if (value !== 0) this.writer.tag(field, WireType.Varint).int64(value);
    return this;
  }

  flag(field: number, value: boolean): this {
    return value ? this.bool(field, value) : this;
  }

  /** Written even where false, as members of a oneof are. */
  bool(field: number, value: boolean): this {
    this.writer.tag(field, WireType.Varint).bool(value);
    return this;
  }

  text(field: number, value: string | undefined): this {
    if (value) this.writer.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  double(field: number, value: number): this {
    this.writer.tag(field, WireType.Bit64).double(value);
    return this;
  }

  float(field: number, value: number): this {
    this.writer.tag(field, WireType.Bit32).float(value);
    return this;
  }

  message(field: number, value: ProtoMessage): this {
    return this.bytes(field, value.finish());
  }

  bytes(field: number, value: Uint8Array): this {
    this.writer.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }

  /** A google.protobuf.Timestamp of seconds since 1970. */
  time(field: number, seconds: number): this {
    const whole = Math.floor(seconds);
    return this.message(field, new ProtoMessage().int(1, whole).int(2, Math.round((seconds - whole) * 1e9)));
  }

  finish(): Uint8Array {
    return this.writer.finish();
  }
}
