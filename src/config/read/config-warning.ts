/** Something in a configuration that has no effect, or another one than may be expected, but does not stop a run. */
export interface ConfigWarning {
  /** Stable name of the cause. */
  code: 'NOTHING_UPLOADED' | 'UPLOAD_CONFIG_UNUSED' | 'DATASET_ENTRY_UNUSED' | 'KEY_WITHOUT_EFFECT';
  message: string;
}
