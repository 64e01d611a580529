// A frozen weight in 4 or 8 bits, as bitsandbytes keeps it. Dettmers et al. 2023, "QLoRA: efficient
// finetuning of quantized LLMs"; Dettmers et al. 2022, "LLM.int8()".
#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace adaptive {

enum class QuantType { Nf4, Fp4, Int8 };

struct Quantization {
  QuantType type = QuantType::Nf4;
  int64_t blockSize = 64;  ///< entries that share a scale; of the 4-bit types
  bool nested = false;     ///< scales in 8 bits too, 256 of which share a scale of their own
  double offset = 0;       ///< what was taken off the scales before; for those that a checkpoint brings
};

/// [rows, columns]. A 4-bit entry is codes[c]·scale of its block, blocks of the flat matrix; an 8-bit entry
/// is value·scale/127 of its row.
class QuantizedMatrix {
 public:
  /// Errors: INVALID_INPUT for a block size that bitsandbytes does not have.
  QuantizedMatrix(const Quantization& how, int64_t rows, int64_t columns);

  const Quantization& how() const { return how_; }
  /// Moves it to another device; values are quantised by the host wherever it is.
  void moveTo(at::Device device);
  at::Device device() const { return packed_.device(); }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  /// How many rows end on a block boundary, whatever the number of columns.
  int64_t rowGrain() const { return how_.blockSize; }
  /// Quantises some rows, from a multiple of rowGrain() on. finish() after the last ones.
  void quantize(int64_t firstRow, const at::Tensor& rows);
  void finish();
  /// What a checkpoint of bitsandbytes holds behind the weight's name ("", ".absmax", …), to be read into.
  std::vector<std::pair<std::string, at::Tensor>> stored() const;
  /// Whether every scale is a finite number.
  bool isFinite() const;

  /// One float32 for each block, or row.
  at::Tensor scales() const;
  /// out [r, c] (float32, bfloat16 or float16, contiguous) = the entries from (firstRow, firstColumn) on;
  /// `scales` as above.
  void dequantize(at::Tensor out, int64_t firstRow, int64_t firstColumn, const at::Tensor& scales) const;
  int64_t bytes() const;

 private:
  Quantization how_;
  int64_t rows_, columns_;
  at::Tensor packed_, codes_, absmax_, nestedAbsmax_, nestedCodes_;
  at::Tensor unfinished_;  ///< scales float32 until finish(), of the host
};

/// The 256 values in which bitsandbytes keeps scales, ascending, float32.
at::Tensor dynamicMap();

}  // namespace adaptive
