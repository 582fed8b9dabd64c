// SPDX-License-Identifier: GPL-3.0-or-later
// lockstep_kernel.h says what kernels/steps.h says: every field of every step, by name, in order;
// and it compiles by itself as C99 and as C++.
#include <QProcess>
#include <QTest>
#include <cstddef>

#include "kernels/step_catalog.h"
#include "kernels/user/abi.h"

using namespace lockstep;

namespace {

struct AbiField {
    std::string_view name;
    size_t offset;
};

#define FIELD(step, name) \
    { #name, offsetof(lockstep_##step##_args, name) }
const std::vector<AbiField> abi_fields[step_count] = {
    {FIELD(embed, ids), FIELD(embed, embed_tokens), FIELD(embed, hidden)},
    {FIELD(qkv, hidden), FIELD(qkv, input_layernorm), FIELD(qkv, q_proj), FIELD(qkv, k_proj),
     FIELD(qkv, v_proj), FIELD(qkv, q_bias), FIELD(qkv, k_bias), FIELD(qkv, v_bias),
     FIELD(qkv, rope_cos), FIELD(qkv, rope_sin), FIELD(qkv, q), FIELD(qkv, k_cache),
     FIELD(qkv, v_cache), FIELD(qkv, normed), FIELD(qkv, q_pre_rope), FIELD(qkv, k_pre_rope)},
    {FIELD(attention, q), FIELD(attention, k_cache), FIELD(attention, v_cache),
     FIELD(attention, attn)},
    {FIELD(attn_output, attn), FIELD(attn_output, o_proj), FIELD(attn_output, hidden),
     FIELD(attn_output, hidden_attn)},
    {FIELD(gate_up, hidden_attn), FIELD(gate_up, post_attention_layernorm),
     FIELD(gate_up, gate_proj), FIELD(gate_up, up_proj), FIELD(gate_up, mlp),
     FIELD(gate_up, normed)},
    {FIELD(down, mlp), FIELD(down, down_proj), FIELD(down, hidden_attn), FIELD(down, hidden)},
    {FIELD(logits, hidden), FIELD(logits, norm), FIELD(logits, lm_head), FIELD(logits, logits),
     FIELD(logits, normed)},
};
#undef FIELD

// A tensor that no other field has.
Tensor marked(int64_t number) {
    Tensor tensor(reinterpret_cast<void*>(0x1000 * number), DType::bf16, {number, 2, 3});
    tensor.stride[0] = 100 + number;
    return tensor;
}

bool same(const lockstep_tensor& a, const Tensor& b) {
    if (a.data != b.data || a.dtype != static_cast<int32_t>(b.dtype) || a.rank != b.rank)
        return false;
    for (int d = 0; d < Tensor::max_rank; ++d) {
        if (a.shape[d] != b.shape[d] || a.stride[d] != b.stride[d]) return false;
    }
    return true;
}

template <class Args>
void every_field_is_in_the_struct() {
    Args args;
    int64_t number = 0;
    for (const TensorField<Args>& field : Args::fields()) args.*field.member = marked(++number);
    args.context.layer = 5;
    args.context.first_row = 77;
    args.context.position = marked(99);
    if constexpr (requires { args.rms_norm_eps; }) args.rms_norm_eps = 0.25f;
    if constexpr (requires { args.scale; }) args.scale = 0.125f;

    AbiCall call = to_abi(args, 3, true);
    const auto& fields = abi_fields[static_cast<int>(Args::id)];
    QCOMPARE(fields.size(), Args::fields().size());
    for (size_t i = 0; i < fields.size(); ++i) {
        const TensorField<Args>& field = Args::fields()[i];
        QCOMPARE(fields[i].name, field.name);
        const auto& tensor =
            *reinterpret_cast<const lockstep_tensor*>(call.args.data() + fields[i].offset);
        QVERIFY2(same(tensor, args.*field.member), field.name.data());
        QCOMPARE(&call.tensors()[i], &tensor);
    }
    const lockstep_context& context = call.context();
    QCOMPARE(context.layer, 5);
    QCOMPARE(context.first_row, 77);
    QCOMPARE(context.threads, 3);
    QCOMPARE(context.struct_size, call.bytes);
    QVERIFY(same(context.position, args.context.position));

    AbiCall fused = to_abi(args, 3, false);
    for (size_t i = 0; i < fields.size(); ++i) {
        const bool left_out = Args::fields()[i].role == Role::unfused_output;
        QCOMPARE(fused.tensors()[i].data == nullptr, left_out);
    }
}

template <class Args, class Struct>
void numbers_are_in_the_struct(float number) {
    Args args;
    float read = 0;
    if constexpr (requires { args.rms_norm_eps; }) {
        args.rms_norm_eps = number;
        const AbiCall call = to_abi(args, 1, false);
        read = reinterpret_cast<const Struct*>(call.args.data())->rms_norm_eps;
    } else {
        args.scale = number;
        const AbiCall call = to_abi(args, 1, false);
        read = reinterpret_cast<const Struct*>(call.args.data())->scale;
    }
    QCOMPARE(read, number);
}

}  // namespace

class TestAbi : public QObject {
    Q_OBJECT
  private Q_SLOTS:
    void every_field_of_every_step_is_in_its_struct() {
        every_field_is_in_the_struct<EmbedArgs>();
        every_field_is_in_the_struct<QkvArgs>();
        every_field_is_in_the_struct<AttentionArgs>();
        every_field_is_in_the_struct<AttnOutputArgs>();
        every_field_is_in_the_struct<GateUpArgs>();
        every_field_is_in_the_struct<DownArgs>();
        every_field_is_in_the_struct<LogitsArgs>();
    }

    void numbers_are_in_their_structs() {
        numbers_are_in_the_struct<QkvArgs, lockstep_qkv_args>(0.5f);
        numbers_are_in_the_struct<AttentionArgs, lockstep_attention_args>(0.25f);
        numbers_are_in_the_struct<GateUpArgs, lockstep_gate_up_args>(0.125f);
        numbers_are_in_the_struct<LogitsArgs, lockstep_logits_args>(2.0f);
    }

    // A struct is its context, its tensors, and at most one number.
    void no_struct_holds_what_no_step_has() {
        for (uint32_t step = 0; step < step_count; ++step) {
            const size_t tensors = abi_fields[step].size();
            QCOMPARE(abi_tensor_count(step), tensors);
            const size_t least = sizeof(lockstep_context) + tensors * sizeof(lockstep_tensor);
            QVERIFY(abi_args_bytes(step) - least <= 8);
        }
    }

    void names_of_dtypes_devices_and_steps_mean_the_same() {
        const std::pair<int, DType> dtypes[] = {
            {LOCKSTEP_F32, DType::f32},   {LOCKSTEP_F16, DType::f16},
            {LOCKSTEP_BF16, DType::bf16}, {LOCKSTEP_I32, DType::i32},
            {LOCKSTEP_Q4_0, DType::q4_0}, {LOCKSTEP_Q4_1, DType::q4_1},
            {LOCKSTEP_Q5_0, DType::q5_0}, {LOCKSTEP_Q5_1, DType::q5_1},
            {LOCKSTEP_Q8_0, DType::q8_0}, {LOCKSTEP_Q4_K, DType::q4_k},
            {LOCKSTEP_Q5_K, DType::q5_k}, {LOCKSTEP_Q6_K, DType::q6_k}};
        for (const auto& [abi, ours] : dtypes) QCOMPARE(abi, static_cast<int>(ours));
        QCOMPARE(static_cast<int>(LOCKSTEP_CPU), static_cast<int>(DeviceKind::cpu));
        QCOMPARE(static_cast<int>(LOCKSTEP_CUDA), static_cast<int>(DeviceKind::cuda));
        QCOMPARE(static_cast<int>(LOCKSTEP_EMBED), static_cast<int>(StepId::embed));
        QCOMPARE(static_cast<int>(LOCKSTEP_QKV), static_cast<int>(StepId::qkv));
        QCOMPARE(static_cast<int>(LOCKSTEP_ATTENTION), static_cast<int>(StepId::attention));
        QCOMPARE(static_cast<int>(LOCKSTEP_ATTN_OUTPUT), static_cast<int>(StepId::attn_output));
        QCOMPARE(static_cast<int>(LOCKSTEP_GATE_UP), static_cast<int>(StepId::gate_up));
        QCOMPARE(static_cast<int>(LOCKSTEP_DOWN), static_cast<int>(StepId::down));
        QCOMPARE(static_cast<int>(LOCKSTEP_LOGITS), static_cast<int>(StepId::logits));
    }

    // All 65,536 of each, and what lies between them.
    void conversions_are_ours() {
        for (uint32_t bits = 0; bits < 0x10000; ++bits) {
            const auto value = static_cast<uint16_t>(bits);
            const float f16 = lockstep_float_from_f16(value),
                        bf16 = lockstep_float_from_bf16(value);
            QCOMPARE(std::bit_cast<uint32_t>(f16), std::bit_cast<uint32_t>(float_from_f16(value)));
            QCOMPARE(std::bit_cast<uint32_t>(bf16),
                     std::bit_cast<uint32_t>(float_from_bf16(value)));
        }
        for (uint64_t bits = 0; bits <= 0xffffffff; bits += 997) {
            const float value = std::bit_cast<float>(static_cast<uint32_t>(bits));
            QCOMPARE(lockstep_bf16_from_float(value), bf16_from_float(value));
            if (value == value) QCOMPARE(lockstep_f16_from_float(value), f16_from_float(value));
        }
    }

    void the_header_stands_alone_data() {
        QTest::addColumn<QStringList>("language");
        QTest::newRow("C99") << QStringList{"-x", "c", "-std=c99"};
        QTest::newRow("C++11") << QStringList{"-x", "c++", "-std=c++11"};
        QTest::newRow("C++20") << QStringList{"-x", "c++", "-std=c++20"};
    }
    void the_header_stands_alone() {
        QFETCH(QStringList, language);
        QProcess compiler;
        compiler.setProcessChannelMode(QProcess::MergedChannels);
        compiler.start(LOCKSTEP_CXX, language + QStringList{"-Wall", "-Wextra", "-Wpedantic",
                                                            "-Wshadow", "-Werror", "-fsyntax-only",
                                                            LOCKSTEP_SOURCE_DIR
                                                            "/kernels/user/lockstep_kernel.h"});
        QVERIFY(compiler.waitForFinished(120000));
        QVERIFY2(compiler.exitCode() == 0, compiler.readAll());
    }
};

QTEST_APPLESS_MAIN(TestAbi)
#include "tst_abi.moc"
