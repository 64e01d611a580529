"""Messages of W&B and TensorBoard as their own packages write them, for test/trackers/messages.test.ts.

  python scripts/oracles/trackers.py > test/fixtures/trackers/messages.json     (needs wandb 0.30 and tensorboard 2.21)
"""
import json
import struct

from google.protobuf import struct_pb2
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from wandb.proto import wandb_internal_pb2 as wandb


def record(number, **kind):
    return wandb.Record(num=number, **kind).SerializeToString().hex()


def items(kind, nested, **values):
    name = (lambda key: {"nested_key": [key]}) if nested else (lambda key: {"key": key})
    return [kind(value_json=value, **name(key)) for key, value in values.items()]


def timestamp(message, seconds, nanos):
    message.seconds, message.nanos = seconds, nanos
    return message


def wandb_records():
    run = wandb.RunRecord(
        run_id="run1", entity="team", project="p", run_group="g", display_name="my run", notes="n", tags=["a", "b"],
        host="h", resume=True, git=wandb.GitRepoRecord(remote_url="https://example.org/r.git", commit="c0ffee"),
    )
    run.config.update.extend(items(wandb.ConfigItem, False, learning_rate="0.1", name='"é"'))
    timestamp(run.start_time, 1_700_000_000, 250_000_000)
    environment = wandb.EnvironmentRecord(
        os="Linux", args=["train", "c.json"], program="/p", host="h", executable="/node", cpu_count=2,
        cpu_count_logical=2, writer_id="w",
    )
    environment.memory.total = 25_276_502_016
    timestamp(environment.started_at, 1_700_000_000, 0)
    metric = wandb.MetricRecord(name="train/loss", step_metric="train/global_step", expanded_from_glob=True)
    metric.options.step_sync = True
    stats = wandb.StatsRecord(item=items(wandb.StatsItem, False, cpu="12.5"))
    timestamp(stats.timestamp, 1_700_000_001, 500_000_000)
    output = wandb.OutputRawRecord(output_type=wandb.OutputRawRecord.STDOUT, line="hello\n")
    timestamp(output.timestamp, 1_700_000_001, 500_000_000)
    history = wandb.HistoryRecord(item=items(wandb.HistoryItem, True, loss="0.5", _step="300"))
    history.step.num = 300
    version = wandb.VersionInfo(producer="adaptive-trainer", min_consumer="0.70.0")
    return {
        "header": record(1, header=wandb.HeaderRecord(version_info=version)),
        "run": record(2, run=run),
        "environment": record(3, environment=environment),
        "metric": record(4, metric=metric),
        "stats": record(5, stats=stats),
        "output": record(6, output_raw=output),
        "history": record(7, history=history),
        "summary": record(8, summary=wandb.SummaryRecord(update=items(wandb.SummaryItem, True, loss="0.5"))),
        "exit": record(9, exit=wandb.RunExitRecord(exit_code=1, runtime=7)),
    }


def plugin(name, content=b""):
    data = summary_pb2.SummaryMetadata.PluginData(plugin_name=name, content=content)
    return summary_pb2.SummaryMetadata(plugin_data=data)


def tensorboard_events():
    event = lambda step, **kind: event_pb2.Event(wall_time=1.7e9, step=step, **kind).SerializeToString().hex()
    value = summary_pb2.Summary.Value
    scalar = summary_pb2.Summary(value=[value(tag="train/loss", simple_value=0.1), value(tag="train/epoch", simple_value=2)])
    text = value(tag="settings", metadata=plugin("text"))
    text.tensor.dtype = 7
    text.tensor.tensor_shape.dim.add().size = 1
    text.tensor.string_val.append("é | x".encode())
    start = plugin_data_pb2.HParamsPluginData()
    for key, given in {"rate": 0.0, "name": "", "on": False}.items():
        kind = {float: "number_value", str: "string_value", bool: "bool_value"}[type(given)]
        start.session_start_info.hparams[key].CopyFrom(struct_pb2.Value(**{kind: given}))
    start.session_start_info.start_time_secs = 1.5
    end = plugin_data_pb2.HParamsPluginData()
    end.session_end_info.status, end.session_end_info.end_time_secs = 1, 2.5
    session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    hparams = value(tag="_hparams_/session_start_info", metadata=plugin("hparams", start.SerializeToString(deterministic=True)))
    return {
        "version": event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString().hex(),
        "scalars": event(7, summary=scalar),
        "text": event(0, summary=summary_pb2.Summary(value=[text])),
        "session": event(31, session_log=session),
        "hparams": event(0, summary=summary_pb2.Summary(value=[hparams])),
        "hparamsEnd": end.SerializeToString().hex(),
    }


class Bytes(bytearray):
    write = bytearray.extend


def frame(data):
    out = Bytes()
    RecordWriter(out).write(data)
    return bytes(out).hex()


print(json.dumps({"wandb": wandb_records(), "tensorboard": tensorboard_events(), "frame": frame(b"123456789")}, indent=1))
