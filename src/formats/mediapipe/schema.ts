import { schemaOf } from '../protobuf/schema.ts';
import { EXTENSIONS, OPTIONS } from './options.ts';

/**
 * The messages of a MediaPipe graph, by the numbers, names and types of their fields (mediapipe/framework/calculator.proto,
 * stream_handler.proto, thread_pool_executor.proto; MediaPipe 0.10). Packet generators and factories and status handlers
 * are left out: they run code before the graph, and no reader needs them any more.
 */
export const MEDIAPIPE = schemaOf({
  CalculatorGraphConfig: `
    1* node Node, 8 num_threads int, 10* input_stream text, 15* output_stream text, 16* input_side_packet text,
    17* output_side_packet text, 11 max_queue_size int, 21 report_deadlock int, 12 input_stream_handler
    InputStreamHandler, 13 output_stream_handler OutputStreamHandler, 14* executor Executor, 18 profiler_config
    Profiler, 19 package text, 20 type text, 22 runtime_info RuntimeInfo, 1001 options MediaPipeOptions,
    1002* graph_options Any`,
  Node: `
    1 name text, 2 calculator text, 3* input_stream text, 4* output_stream text, 5* input_side_packet text,
    6* output_side_packet text, 7 options CalculatorOptions, 8* node_options Any, 9 source_layer int, 10
    buffer_size_hint int, 11 input_stream_handler InputStreamHandler, 12 output_stream_handler OutputStreamHandler,
    13* input_stream_info InputStreamInfo, 14 executor text, 15 profiler_config Profiler, 16 max_in_flight int,
    17* option_value text`,
  InputStreamInfo: '1 tag_index text, 2 back_edge int',
  InputStreamHandler: '1 input_stream_handler text, 3 options MediaPipeOptions',
  OutputStreamHandler: '1 output_stream_handler text, 2* input_side_packet text, 3 options MediaPipeOptions',
  Executor: '1 name text, 2 type text, 3 options MediaPipeOptions',
  RuntimeInfo: '1 enable_graph_runtime_info int, 2 capture_period_msec int',
  Profiler: `
    1 histogram_interval_size_usec int, 2 num_histogram_intervals int, 3 enable_input_output_latency int, 4
    enable_profiler int, 5 enable_stream_latency int, 6 use_packet_timestamp_for_added_packet int, 7
    trace_log_capacity int, 8* trace_event_types_disabled int, 9 trace_log_path text, 10 trace_log_count int, 11
    trace_log_interval_usec int, 12 trace_log_margin_usec int, 13 trace_log_duration_events int, 14
    trace_log_interval_count int, 15 trace_log_disabled int, 16 trace_enabled int, 17 trace_log_instant_events int,
    18 calculator_filter text`,
  MediaPipeOptions: '157116819 thread_pool ThreadPool',
  ThreadPool: '1 num_threads int, 2 stack_size int, 3 nice_priority_level int, 5 thread_name_prefix text',
  Any: '1 type_url text, 2 value bytes',
  CalculatorOptions: `1 merge_fields int, ${EXTENSIONS}`,
  ...OPTIONS,
});
