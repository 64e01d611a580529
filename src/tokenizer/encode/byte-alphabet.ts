const characters = new Map<string, number>();

/** The alphabet of byte-level BPE (GPT-2): printable Latin-1 bytes are themselves, the rest follow from U+0100 on. */
export const byteOfCharacter: ReadonlyMap<string, number> = characters;

let next = 0x100;
for (let byte = 0; byte < 256; byte++) {
  const isItself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  characters.set(String.fromCharCode(isItself ? byte : next++), byte);
}
