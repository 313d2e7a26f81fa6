// A "cuda" device for a build of torch that has none: two of them, whose memory is the host's.
//
// Every operator runs the CPU's kernel on the same memory (the boxed fallback below), so that values are those of the
// CPU. What differs between a CPU and a GPU is kept: tensors of several devices do not mix, memory has a device, there
// is a current device, and what would be a launch, a copy or a wait for the device on a GPU is counted.
//
// Not kept: speed, asynchrony, streams, other rounding. The generator of random numbers is the CPU's.

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/Resize.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_cpu_dispatch.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <array>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace {

using at::Tensor;
using c10::Device;
using c10::DeviceIndex;
using c10::DeviceType;
using c10::IValue;

constexpr DeviceIndex DEVICES = 2;
thread_local DeviceIndex current = 0;

// --- what is counted -------------------------------------------------------------------------------------------------

struct Count {
  long times = 0, bytes = 0;
};
std::mutex counting_mutex;
bool counting = false;
std::map<std::string, Count> counts;  // "kind operator"

void count(const std::string& kind, const std::string& name, long bytes = 0) {
  std::lock_guard<std::mutex> guard(counting_mutex);
  if (!counting) return;
  Count& found = counts[kind + " " + name];
  found.times += 1;
  found.bytes += bytes;
}

// --- memory ----------------------------------------------------------------------------------------------------------

struct Memory {
  long held = 0, peak = 0;
};
std::mutex memory_mutex;
std::array<Memory, DEVICES> memory;
std::unordered_map<const void*, size_t> pinned;  // address -> bytes

void hold(DeviceIndex device, long bytes) {
  std::lock_guard<std::mutex> guard(memory_mutex);
  Memory& own = memory[device];
  own.held += bytes;
  own.peak = std::max(own.peak, own.held);
}

void* aligned(size_t bytes) {
  void* found = nullptr;
  if (bytes && posix_memalign(&found, 512, bytes)) throw std::bad_alloc();
  return found;
}

struct Block {
  void* address;
  size_t bytes;
  DeviceIndex device;
};

struct DeviceAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    auto* block = new Block{aligned(bytes), bytes, current};
    hold(current, static_cast<long>(bytes));
    return {block->address, block, &release, Device(DeviceType::CUDA, current)};
  }
  static void release(void* context) {
    auto* block = static_cast<Block*>(context);
    hold(block->device, -static_cast<long>(block->bytes));
    std::free(block->address);
    delete block;
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
};

struct PinnedAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* address = aligned(bytes);
    std::lock_guard<std::mutex> guard(memory_mutex);
    if (address) pinned[address] = bytes;
    return {address, address, &release, Device(DeviceType::CPU)};
  }
  static void release(void* address) {
    {
      std::lock_guard<std::mutex> guard(memory_mutex);
      pinned.erase(address);
    }
    std::free(address);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
};

DeviceAllocator device_allocator;
PinnedAllocator pinned_allocator;

bool is_pinned(const void* address) {
  std::lock_guard<std::mutex> guard(memory_mutex);
  for (const auto& [start, bytes] : pinned) {
    auto* first = static_cast<const char*>(start);
    auto* wanted = static_cast<const char*>(address);
    if (wanted >= first && wanted < first + bytes) return true;
  }
  return false;
}

// --- the current device ----------------------------------------------------------------------------------------------

DeviceIndex exchange(DeviceIndex wanted) {
  const DeviceIndex before = current;
  if (wanted >= 0) current = wanted;
  return before;
}

struct Here {  // sets the current device while it lives
  DeviceIndex before;
  explicit Here(Device device) : before(exchange(device.index())) {}
  ~Here() { current = before; }
};

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr DeviceType static_type = DeviceType::CUDA;
  Guard() = default;
  explicit Guard(DeviceType) {}
  DeviceType type() const override { return static_type; }
  Device exchangeDevice(Device device) const override { return {static_type, exchange(device.index())}; }
  Device getDevice() const override { return {static_type, current}; }
  void setDevice(Device device) const override { exchange(device.index()); }
  void uncheckedSetDevice(Device device) const noexcept override { exchange(device.index()); }
  c10::Stream getStream(Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream getDefaultStream(Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  DeviceIndex deviceCount() const noexcept override { return DEVICES; }
  void record(void**, const c10::Stream&, const DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { count("wait", "stream"); }
  void synchronizeDevice(const DeviceIndex) const override { count("wait", "device"); }
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};

struct Hooks final : at::CUDAHooksInterface {
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  int getNumGPUs() const override { return DEVICES; }
  DeviceIndex deviceCount() const override { return DEVICES; }
  DeviceIndex current_device() const override { return current; }
  DeviceIndex getCurrentDevice() const override { return current; }
  void setCurrentDevice(DeviceIndex device) const override { exchange(device); }
  DeviceIndex exchangeDevice(DeviceIndex device) const override { return exchange(device); }
  DeviceIndex maybeExchangeDevice(DeviceIndex device) const override { return exchange(device); }
  bool isPinnedPtr(const void* address) const override { return is_pinned(address); }
  at::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator; }
  at::Allocator* getCUDADeviceAllocator() const override { return &device_allocator; }
  void deviceSynchronize(DeviceIndex) const override { count("wait", "device"); }
};

// --- operators -------------------------------------------------------------------------------------------------------

// what has to wait on a GPU, as the size of its result, or the result, is wanted on the host
const std::unordered_set<std::string> WAITING = {
    "aten::nonzero", "aten::masked_select", "aten::equal", "aten::is_nonzero", "aten::bincount", "aten::_unique",
    "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave.Tensor",
};
// what takes indices that are on the host to the device itself
const std::unordered_set<std::string> INDEXING = {
    "aten::index.Tensor", "aten::index.Tensor_out", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_",
};
// of these, what looks itself where a mask is true; the others call aten::nonzero, which is counted
const std::string MASKING = "aten::_index_put_impl_";

bool is_on_device(const Tensor& tensor) { return tensor.defined() && tensor.is_cuda(); }

// A tensor of the host on the memory of a device's
Tensor on_host(const Tensor& tensor) {
  if (!is_on_device(tensor)) return tensor;
  const Tensor keep = tensor;
  const auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
  auto found = at::from_blob(
      const_cast<void*>(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(), [keep](void*) {}, options);
  if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) found.unsafeGetTensorImpl()->set_wrapped_number(true);
  return found;
}

struct Held {  // memory that a CPU kernel has allocated, which counts as the device's
  Tensor tensor;
  long bytes;
  DeviceIndex device;
};

// A tensor of a device on the memory of one of the host
Tensor on_device(const Tensor& tensor, Device device) {
  if (!tensor.defined() || !tensor.is_cpu()) return tensor;
  auto* held = new Held{tensor, static_cast<long>(tensor.storage().nbytes()), device.index()};
  hold(held->device, held->bytes);
  const auto release = [](void* context) {
    auto* block = static_cast<Held*>(context);
    hold(block->device, -block->bytes);
    delete block;
  };
  c10::DataPtr pointer(const_cast<void*>(tensor.storage().data()), held, release, device);
  c10::Storage storage(
      c10::Storage::use_byte_size_t(), held->bytes, std::move(pointer), &device_allocator, /*resizable=*/true);
  auto found = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CUDA), tensor.dtype());
  found.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
  if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) found.unsafeGetTensorImpl()->set_wrapped_number(true);
  return found;
}

// What the arguments of an operator say about where it runs
struct Place {
  std::string name;
  Device device{DeviceType::CUDA, current};
  bool known = false, masked = false;

  void see(const Tensor& tensor, bool index) {
    if (!tensor.defined()) return;
    if (is_on_device(tensor)) {
      if (known && device != tensor.device()) refuse(device, tensor.device());
      device = tensor.device();
      known = true;
      masked |= index && (tensor.scalar_type() == at::kBool || tensor.scalar_type() == at::kByte);
    } else if (tensor.dim() > 0) {  // a number on the host goes with any tensor
      if (!index || !INDEXING.count(name)) refuse(device, tensor.device());
      count("wait", name + " (indices on the host)", static_cast<long>(tensor.nbytes()));
    }
  }

  void refuse(Device one, Device other) const {
    TORCH_CHECK(false, "Expected all tensors to be on the same device, but found at least two devices, ", one, " and ",
                other, "! (stand-in, ", name, ")");
  }
};

// Put the arguments onto the host, and say where they were
Place take_to_host(const c10::FunctionSchema& schema, std::vector<IValue>& stack, size_t first) {
  Place place;
  place.name = schema.name() + (schema.overload_name().empty() ? "" : "." + schema.overload_name());
  for (size_t number = 0; number < schema.arguments().size(); ++number) {
    IValue& value = stack[first + number];
    if (value.isTensor()) {
      const Tensor tensor = value.toTensor();
      place.see(tensor, false);
      const auto* alias = schema.arguments()[number].alias_info();
      const bool to_be_sized = is_on_device(tensor) && alias && alias->isWrite() && tensor.numel() == 0;
      value = to_be_sized ? at::empty({0}, at::TensorOptions().dtype(tensor.dtype())) : on_host(tensor);
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) {
        place.see(tensor, false);
        list.push_back(on_host(tensor));
      }
      value = list;
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> list;
      for (const std::optional<Tensor>& tensor : value.toOptionalTensorVector()) {
        if (tensor) place.see(*tensor, true);
        list.push_back(tensor ? std::optional<Tensor>(on_host(*tensor)) : std::nullopt);
      }
      value = list;
    } else if (value.isDevice() && value.toDevice().is_cuda()) {
      if (value.toDevice().has_index()) place.device = value.toDevice();
      value = Device(DeviceType::CPU);
    }
  }
  return place;
}

// The argument that an operator has written to and returns
const IValue* written(const c10::FunctionSchema& schema, const std::vector<IValue>& given, const c10::AliasInfo& alias) {
  for (size_t number = 0; number < given.size(); ++number) {
    const auto* own = schema.arguments()[number].alias_info();
    if (own && *own == alias) return &given[number];
  }
  return nullptr;
}

// What was written, where the CPU's kernel has written it to other memory
void take_over(const Tensor& target, const Tensor& found) {
  if (!is_on_device(target) || (target.sizes() == found.sizes() && target.const_data_ptr() == found.const_data_ptr()))
    return;
  if (target.sizes() != found.sizes()) at::native::resize_(target, found.sizes(), std::nullopt);
  on_host(target).copy_(found);
}

bool is_view(const c10::FunctionSchema& schema) {
  for (const auto& each : schema.returns())
    if (each.alias_info() && !each.alias_info()->isWrite()) return true;
  return false;
}

// Run an operator with the CPU's kernel on the memory of a device
void run_on_host(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
  const auto& schema = operation.schema();
  const size_t first = stack->size() - schema.arguments().size();
  const std::vector<IValue> given(stack->begin() + static_cast<long>(first), stack->end());
  const Place place = take_to_host(schema, *stack, first);
  if (!is_view(schema)) count("launch", place.name);
  if (WAITING.count(place.name) || (place.masked && place.name == MASKING)) count("wait", place.name);
  operation.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  const Here here(place.device);
  for (size_t number = 0; number < schema.returns().size(); ++number) {
    IValue& value = (*stack)[first + number];
    const auto* alias = schema.returns()[number].alias_info();
    if (alias && alias->isWrite()) {
      const IValue* target = written(schema, given, *alias);
      if (!target) continue;
      if (target->isTensor() && value.isTensor()) take_over(target->toTensor(), value.toTensor());
      value = *target;
    } else if (value.isTensor()) {
      value = on_device(value.toTensor(), place.device);
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) list.push_back(on_device(tensor, place.device));
      value = list;
    }
  }
}

// --- operators of their own: memory, copies, views, attention --------------------------------------------------------

using Sizes = c10::IntArrayRef;
using Type = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Where = std::optional<Device>;
using Format = std::optional<at::MemoryFormat>;
const c10::DispatchKeySet KEYS(c10::DispatchKey::CUDA);

Device wanted(const Where& device) { return device.value_or(Device(DeviceType::CUDA)); }

Tensor empty(Sizes size, Type type, Layout, Where device, std::optional<bool>, Format format) {
  const Here here(wanted(device));
  return at::detail::empty_generic(size, &device_allocator, KEYS, c10::dtype_or_default(type), format);
}

Tensor empty_strided(Sizes size, Sizes stride, Type type, Layout, Where device, std::optional<bool>) {
  const Here here(wanted(device));
  return at::detail::empty_strided_generic(size, stride, &device_allocator, KEYS, c10::dtype_or_default(type));
}

Tensor& copy_(Tensor& target, const Tensor& source, bool non_blocking) {
  if (target.is_same(source)) return target;
  const auto bytes = static_cast<long>(source.nbytes());
  if (is_on_device(target) && is_on_device(source)) {
    count("launch", "aten::copy_", bytes);
  } else {
    const std::string way = is_on_device(target) ? "to the device" : "to the host";
    count("copy", way, bytes);
    const Tensor& host = is_on_device(target) ? source : target;
    if (!non_blocking || !is_pinned(host.const_data_ptr())) count("wait", "copy " + way, bytes);
  }
  on_host(target).copy_(on_host(source));
  return target;
}

at::Scalar number(const Tensor& tensor) {
  count("wait", "aten::_local_scalar_dense", static_cast<long>(tensor.nbytes()));
  return on_host(tensor).item();
}

Tensor as_strided(const Tensor& self, Sizes size, Sizes stride, std::optional<int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}
Tensor view(const Tensor& self, Sizes size) { return at::native::view(self, size); }
Tensor reshape_alias(const Tensor& self, Sizes size, Sizes stride) {
  return at::native::_reshape_alias(self, size, stride);
}
const Tensor& resize_(const Tensor& self, Sizes size, Format format) {
  const Here here(self.device());
  return at::native::resize_(self, size, format);
}
Tensor& set_storage(Tensor& self, c10::Storage source) { return at::native::set_(self, source); }
Tensor& set_part(Tensor& self, c10::Storage source, int64_t offset, Sizes size, Sizes stride) {
  return at::cpu::set_(self, source, offset, size, stride);
}
Tensor& set_tensor(Tensor& self, const Tensor& source) { return at::native::set_tensor_(self, source); }

// Attention is one launch, as on a GPU, where no gradient is wanted and heads of queries and keys are as many
constexpr int64_t OF_OPERATORS = 0, EFFICIENT = 2;

int64_t attention_choice(const Tensor& query, const Tensor& key, const Tensor& value, const std::optional<Tensor>&,
                         double, bool, std::optional<double>, bool grouped) {
  const bool learns = query.requires_grad() || key.requires_grad() || value.requires_grad();
  return grouped || (learns && at::GradMode::is_enabled()) ? OF_OPERATORS : EFFICIENT;
}

std::tuple<Tensor, Tensor, Tensor, Tensor> attention(
    const Tensor& query, const Tensor& key, const Tensor& value, const std::optional<Tensor>& bias, bool,
    double dropout, bool causal, std::optional<double> scale) {
  Place place;
  place.name = "aten::_scaled_dot_product_efficient_attention";
  for (const Tensor* each : {&query, &key, &value}) place.see(*each, false);
  if (bias) place.see(*bias, false);
  count("launch", place.name);
  const auto mask = bias ? std::optional<Tensor>(on_host(*bias)) : std::nullopt;
  auto found = std::get<0>(at::_scaled_dot_product_attention_math(
      on_host(query), on_host(key), on_host(value), mask, dropout, causal, std::nullopt, scale));
  const auto none = at::empty({0});
  return {on_device(found, place.device), on_device(none, place.device), on_device(none.to(at::kLong), place.device),
          on_device(none.to(at::kLong), place.device)};
}

const bool registered = [] {
  at::CUDAHooksRegistry()->Register("CUDAHooks", [](at::CUDAHooksArgs) -> std::unique_ptr<at::CUDAHooksInterface> {
    return std::make_unique<Hooks>();
  });
  c10::SetAllocator(DeviceType::CUDA, &device_allocator, /*priority=*/100);
  at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&attention_choice);
  return true;
}();

}  // namespace

namespace c10::impl {
C10_REGISTER_GUARD_IMPL(CUDA, Guard);
}

TORCH_LIBRARY_IMPL(_, CUDA, library) { library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", &empty);
  library.impl("empty_strided", &empty_strided);
  library.impl("copy_", &copy_);
  library.impl("_local_scalar_dense", &number);
  library.impl("as_strided", &as_strided);
  library.impl("view", &view);
  library.impl("_reshape_alias", &reshape_alias);
  library.impl("resize_", &resize_);
  library.impl("set_.source_Storage", &set_storage);
  library.impl("set_.source_Storage_storage_offset", &set_part);
  library.impl("set_.source_Tensor", &set_tensor);
  library.impl("_scaled_dot_product_efficient_attention", &attention);
}

// --- for Python ------------------------------------------------------------------------------------------------------

extern "C" {
int standin_devices() { return DEVICES; }
int standin_current() { return current; }
int standin_exchange(int device) { return exchange(static_cast<DeviceIndex>(device)); }
long standin_held(int device) { return memory[device].held; }
long standin_peak(int device) { return memory[device].peak; }
void standin_reset_peak(int device) { memory[device].peak = memory[device].held; }
void standin_count(const char* kind, const char* name) { count(kind, name); }

// Begin to count, or stop; returns whether it was counted before
int standin_counting(int on) {
  std::lock_guard<std::mutex> guard(counting_mutex);
  const bool before = counting;
  counting = on != 0;
  return before;
}

// What was counted since the last call, a line each: kind operator, tab, times, tab, bytes
const char* standin_counts() {
  static std::string text;
  std::lock_guard<std::mutex> guard(counting_mutex);
  text.clear();
  for (const auto& [name, found] : counts)
    text += name + "\t" + std::to_string(found.times) + "\t" + std::to_string(found.bytes) + "\n";
  counts.clear();
  return text.c_str();
}
}
