/** The identifier of the schema, behind the offset of the root. */
const IDENTIFIER = [0x54, 0x46, 0x4c, 0x33];

/** True for a file that begins like a TensorFlow Lite model. */
export const isTflite = (head: Uint8Array): boolean => IDENTIFIER.every((byte, index) => head[4 + index] === byte);
