/**
 * Where an entry of torch's wheel, or of the official archive, goes in a libtorch; undefined: nowhere. C++ needs lib/, include/
 * and CMake's files; Python's own half stays out (30 MB of libtorch_python alone).
 * @param prefix what the names of libtorch's own files begin with: `torch/` or `libtorch/`
 */
export function selectOfTorch(name: string, prefix: string): string | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const inner = name.slice(prefix.length);
  if (!/^(lib|include|share\/cmake)\/|^build-version$/.test(inner)) return undefined;
  return /^lib\/(lib)?(torch_python|shm|jitbackend_test|torchbind_test|backend_with_compiler)\b/.test(inner)
    ? undefined
    : inner;
}
