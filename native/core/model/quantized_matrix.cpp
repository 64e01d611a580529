#include "core/model/quantized_matrix.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/expect.h"
#include "core/ops/ops.h"

namespace adaptive {
namespace {

/// Scales that share a scale of their own.
constexpr int64_t kNestedBlock = 256;
constexpr int64_t kLeastBlock = 32, kLargestBlock = 4096;
/// What bitsandbytes divides by at least.
constexpr float kLeast = 1e-38f;

constexpr std::array<float, 16> kNf4 = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};
constexpr std::array<float, 16> kFp4 = {
    0.0f, 0.0625f / 12,  8.0f / 12,  1.0f,  4.0f / 12,  6.0f / 12,  2.0f / 12,  3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12,
};

const std::array<float, 16>& codesOf(QuantType type) { return type == QuantType::Fp4 ? kFp4 : kNf4; }

/// The codes by ascending value and the midpoints between them.
struct Search {
  std::array<uint8_t, 16> order;
  std::array<float, 15> bounds;

  explicit Search(const std::array<float, 16>& codes) {
    for (uint8_t c = 0; c < 16; c++) order[c] = c;
    std::stable_sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) { return codes[a] < codes[b]; });
    for (size_t i = 0; i < bounds.size(); i++) bounds[i] = (codes[order[i]] + codes[order[i + 1]]) / 2;
  }
  /// The codes of n values in [−1, 1].
  void nearest(const float* values, uint8_t* codes, int64_t n) const {
    std::fill_n(codes, n, uint8_t{0});
    for (const float bound : bounds)
      for (int64_t i = 0; i < n; i++) codes[i] = static_cast<uint8_t>(codes[i] + (values[i] > bound));
    for (int64_t i = 0; i < n; i++) codes[i] = order[codes[i]];
  }
};

at::Tensor bounded(const at::Tensor& x) { return x.clamp(-1, 1); }

/// x [n] float32 in 8-bit codes of `map`, and one scale for each 256 of them.
std::pair<at::Tensor, at::Tensor> quantizeScales(const at::Tensor& x, const at::Tensor& map) {
  const int64_t n = x.size(0), whole = n - n % kNestedBlock;
  std::vector<at::Tensor> scaled, scales;
  if (whole > 0) {
    const at::Tensor blocks = x.narrow(0, 0, whole).view({-1, kNestedBlock});
    const at::Tensor absmax = blocks.abs().amax(1);
    scales.push_back(absmax);
    scaled.push_back(bounded(blocks * absmax.clamp_min(kLeast).reciprocal().unsqueeze(1)).flatten());
  }
  if (whole < n) {
    const at::Tensor rest = x.narrow(0, whole, n - whole);
    const at::Tensor absmax = rest.abs().amax(0, /*keepdim=*/true).clamp_min(kLeast);
    scales.push_back(absmax);
    scaled.push_back(bounded(rest / absmax));
  }
  const at::Tensor bounds = (map.narrow(0, 0, 255) + map.narrow(0, 1, 255)) / 2;
  return {at::bucketize(at::cat(scaled), bounds, /*out_int32=*/true).to(at::kByte), at::cat(scales)};
}

}  // namespace

at::Tensor dynamicMap() {
  // Seven decades; decade i is cut linearly into 2^i pieces, whose middles are its values.
  std::vector<float> values = {0.0f, 1.0f};
  constexpr int decades = 7;
  for (int i = 0; i < decades; i++) {
    const int pieces = 1 << i;
    const float step = (1.0f - 0.1f) / static_cast<float>(pieces);
    // As torch.linspace has them on CPUs that multiply and add in one instruction.
    const auto boundary = [&](int b) {
      return b < (pieces + 1) / 2 ? std::fma(step, static_cast<float>(b), 0.1f)
                                  : std::fma(-step, static_cast<float>(pieces - b), 1.0f);
    };
    const auto unit = static_cast<float>(std::pow(10.0, i - (decades - 1)));
    for (int b = 0; b < pieces; b++) {
      const float value = unit * ((boundary(b) + boundary(b + 1)) / 2);
      values.push_back(value);
      values.push_back(-value);
    }
  }
  std::sort(values.begin(), values.end());
  return at::tensor(values, at::kFloat);
}

QuantizedMatrix::QuantizedMatrix(const Quantization& how, int64_t rows, int64_t columns)
    : how_(how), rows_(rows), columns_(columns) {
  if (how_.type == QuantType::Int8) {
    // A scale belongs to a row, whatever the size of blocks that was asked for.
    how_.blockSize = 1;
    how_.nested = false;
    packed_ = at::empty({rows, columns}, at::kChar);
    absmax_ = at::empty({rows}, at::kFloat);
    return;
  }
  const bool isPower = how.blockSize > 0 && (how.blockSize & (how.blockSize - 1)) == 0;
  expectThat("INVALID_INPUT", isPower && how.blockSize >= kLeastBlock && how.blockSize <= kLargestBlock,
             "the block size of a 4-bit weight", how.blockSize, "a power of 2 from 32 to 4096");
  expectFinite("the offset of a weight's scales", how.offset);
  const int64_t entries = rows * columns, blocks = (entries + how.blockSize - 1) / how.blockSize;
  packed_ = at::empty({(entries + 1) / 2, 1}, at::kByte);
  codes_ = at::tensor(at::ArrayRef<float>(codesOf(how.type).data(), 16), at::kFloat);
  absmax_ = at::empty({blocks}, how.nested ? at::kByte : at::kFloat);
  if (!how.nested) return;
  nestedAbsmax_ = at::empty({(blocks + kNestedBlock - 1) / kNestedBlock}, at::kFloat);
  nestedCodes_ = dynamicMap();
}

void QuantizedMatrix::moveTo(at::Device device) {
  for (at::Tensor* tensor : {&packed_, &codes_, &absmax_, &nestedAbsmax_, &nestedCodes_})
    if (tensor->defined()) *tensor = tensor->to(device);
}

void QuantizedMatrix::quantize(int64_t firstRow, const at::Tensor& rows) {
  const at::Tensor values = rows.cpu().to(at::kFloat).contiguous();
  const float* x = values.const_data_ptr<float>();
  if (how_.type == QuantType::Int8) {
    const at::Tensor most = values.abs().amax(1);
    absmax_.narrow(0, firstRow, rows.size(0)).copy_(most);
    // A row of zeros is 0/0 there, and becomes zeros too.
    const at::Tensor scaled = values * most.reciprocal().mul_(127).unsqueeze(1);
    packed_.narrow(0, firstRow, rows.size(0)).copy_(at::nan_to_num(scaled.round_(), 0, 0, 0));
    return;
  }
  const int64_t blockSize = how_.blockSize, count = values.numel(), first = firstRow * columns_;
  if (!unfinished_.defined()) unfinished_ = at::empty({absmax_.size(0)}, at::kFloat);
  float* scales = unfinished_.data_ptr<float>() + first / blockSize;
  const at::Tensor target = packed_.narrow(0, first / 2, (count + 1) / 2);
  const at::Tensor packed = target.is_cpu() ? target : at::empty(target.sizes(), at::kByte);
  uint8_t* bytes = packed.data_ptr<uint8_t>();
  const Search search(codesOf(how_.type));
  at::parallel_for(0, (count + blockSize - 1) / blockSize, 256, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      const float* from = x + block * blockSize;
      const int64_t n = std::min(blockSize, count - block * blockSize);
      float most = 0;
      // A NaN stays one.
      for (int64_t i = 0; i < n; i++)
        if (std::abs(from[i]) > most || std::isnan(from[i])) most = std::abs(from[i]);
      // bitsandbytes multiplies a full block by the inverse, and divides a last one that is not full.
      const bool isFull = n == blockSize;
      if (!isFull) most = std::max(most, kLeast);
      scales[block] = most;
      const float inverse = 1 / std::max(most, kLeast);
      float scaled[kLargestBlock + 1];
      uint8_t codes[kLargestBlock + 1];
      for (int64_t i = 0; i < n; i++)
        scaled[i] = std::clamp(isFull ? from[i] * inverse : from[i] / most, -1.0f, 1.0f);
      scaled[n] = 0;
      search.nearest(scaled, codes, n + 1);
      uint8_t* to = bytes + block * blockSize / 2;
      for (int64_t i = 0; i < n; i += 2) to[i / 2] = static_cast<uint8_t>(codes[i] << 4 | codes[i + 1]);
    }
  });
  if (!target.is_cpu()) target.copy_(packed);
}

void QuantizedMatrix::finish() {
  if (!unfinished_.defined()) return;
  if (how_.nested) {
    const at::Tensor offset = unfinished_.mean();
    how_.offset = offset.item<double>();
    const auto [codes, scales] = quantizeScales(unfinished_ - offset, nestedCodes_.cpu());
    absmax_.copy_(codes);
    nestedAbsmax_.copy_(scales);
  } else {
    absmax_.copy_(unfinished_);
  }
  unfinished_ = at::Tensor();
}

std::vector<std::pair<std::string, at::Tensor>> QuantizedMatrix::stored() const {
  if (how_.type == QuantType::Int8) return {{"", packed_}, {".SCB", absmax_}};
  std::vector<std::pair<std::string, at::Tensor>> all = {
      {"", packed_}, {".absmax", absmax_}, {".quant_map", codes_}};
  if (how_.nested) {
    all.emplace_back(".nested_absmax", nestedAbsmax_);
    all.emplace_back(".nested_quant_map", nestedCodes_);
  }
  return all;
}

bool QuantizedMatrix::isFinite() const {
  const auto finite = [](const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); };
  for (const auto& [suffix, tensor] : stored())
    if (tensor.is_floating_point() && !finite(tensor)) return false;
  return true;
}

at::Tensor QuantizedMatrix::scales() const {
  if (!how_.nested) return absmax_;
  // Rounded after the product and after the sum, as bitsandbytes does; one instruction for both would not.
  at::Tensor scales = nestedCodes_.index_select(0, absmax_.to(at::kInt));
  const int64_t n = scales.size(0), whole = n - n % kNestedBlock;
  if (whole > 0)
    scales.narrow(0, 0, whole)
        .view({-1, kNestedBlock})
        .mul_(nestedAbsmax_.narrow(0, 0, whole / kNestedBlock).unsqueeze(1));
  if (whole < n) scales.narrow(0, whole, n - whole).mul_(nestedAbsmax_.select(0, -1));
  return scales.add_(how_.offset);
}

void QuantizedMatrix::dequantize(at::Tensor out, int64_t firstRow, int64_t firstColumn,
                                 const at::Tensor& scales) const {
  ops::dequantize_(out, packed_, codes_.defined() ? std::optional(codes_) : std::nullopt, scales,
                   how_.blockSize, columns_, firstRow, firstColumn);
}

int64_t QuantizedMatrix::bytes() const {
  int64_t sum = 0;
  for (const auto& [suffix, tensor] : stored()) sum += static_cast<int64_t>(tensor.nbytes());
  return sum;
}

}  // namespace adaptive
