//! What a context of the SDK can do and this filter doesn't ask of it.
//!
//! The SDK's traits come with a hundred ways to call Envoy, and whoever holds a `dyn HttpContext` might use any of them:
//! so all stay in the module, once for each type. Here the filter says that it does without them, which makes it
//! smaller by 5 kB. What it needs it calls through `proxy_wasm::hostcalls`, of which only what is called stays.

/// Methods that always answer the same.
macro_rules! always {
    ($($parameters:tt -> $answer:ty = $fixed:expr => $($name:ident)*;)*) => {
        $($(fn $name $parameters -> $answer { $fixed })*)*
    };
}

/// For `Context`.
macro_rules! without_context {
    () => {
        crate::host::unused::always! {
            (&self) -> SystemTime = SystemTime::UNIX_EPOCH => get_current_time;
            (&self, _: Vec<&str>) -> Option<Bytes> = None => get_property;
            (&self, _: Vec<&str>, _: Option<&[u8]>) -> () = () => set_property;
            (&self, _: &str) -> (Option<Bytes>, Option<u32>) = (None, None) => get_shared_data;
            (&self, _: &str, _: Option<&[u8]>, _: Option<u32>) -> Result<(), Status> = Err(Status::NotFound) =>
                set_shared_data;
            (&self, _: &str, _: Option<u32>) -> Result<(), Status> = Err(Status::NotFound) =>
                remove_shared_data;
            (&self, _: &str) -> u32 = 0 => register_shared_queue;
            (&self, _: &str, _: &str) -> Option<u32> = None => resolve_shared_queue;
            (&self, _: u32) -> Result<Option<Bytes>, Status> = Err(Status::NotFound) => dequeue_shared_queue;
            (&self, _: u32, _: Option<&[u8]>) -> Result<(), Status> = Err(Status::NotFound) =>
                enqueue_shared_queue;
            (&self, _: &str, _: Vec<(&str, &str)>, _: Option<&[u8]>, _: Vec<(&str, &str)>, _: Duration) -> Result<u32, Status> = Err(Status::NotFound) =>
                dispatch_http_call;
            (&self) -> Vec<(String, String)> = Vec::new() =>
                get_http_call_response_headers get_http_call_response_trailers;
            (&self) -> Vec<(String, Bytes)> = Vec::new() =>
                get_http_call_response_headers_bytes get_http_call_response_trailers_bytes
                get_grpc_stream_initial_metadata get_grpc_stream_trailing_metadata;
            (&self, _: &str) -> Option<String> = None =>
                get_http_call_response_header get_http_call_response_trailer;
            (&self, _: &str) -> Option<Bytes> = None =>
                get_http_call_response_header_bytes get_http_call_response_trailer_bytes
                get_grpc_stream_initial_metadata_value get_grpc_stream_trailing_metadata_value;
            (&self, _: usize, _: usize) -> Option<Bytes> = None =>
                get_http_call_response_body get_grpc_call_response_body;
            (&self, _: &str, _: &str, _: &str, _: Vec<(&str, &[u8])>, _: Option<&[u8]>, _: Duration) -> Result<u32, Status> = Err(Status::NotFound) =>
                dispatch_grpc_call;
            (&self, _: u32) -> () = () =>
                cancel_grpc_call cancel_grpc_stream close_grpc_stream;
            (&self, _: &str, _: &str, _: &str, _: Vec<(&str, &[u8])>) -> Result<u32, Status> = Err(Status::NotFound) =>
                open_grpc_stream;
            (&self, _: u32, _: Option<&[u8]>, _: bool) -> () = () => send_grpc_stream_message;
            (&mut self, _: usize, _: usize) -> Option<Bytes> = None => get_grpc_stream_message;
            (&self) -> (u32, Option<String>) = (0, None) => get_grpc_status;
            (&self, _: &str, _: Option<&[u8]>) -> Result<Option<Bytes>, Status> = Err(Status::NotFound) =>
                call_foreign_function;
            (&self) -> () = () => done;
        }
    };
}

/// For `RootContext`.
macro_rules! without_root {
    () => {
        crate::host::unused::always! {
            (&self) -> Option<Bytes> = None =>
                get_vm_configuration get_plugin_configuration;
            (&self, _: Duration) -> () = () => set_tick_period;
        }
    };
}

/// For `HttpContext`.
macro_rules! without_http {
    () => {
        crate::host::unused::always! {
            (&self) -> Vec<(String, String)> = Vec::new() =>
                get_http_request_headers get_http_request_trailers get_http_response_headers
                get_http_response_trailers;
            (&self) -> Vec<(String, Bytes)> = Vec::new() =>
                get_http_request_headers_bytes get_http_request_trailers_bytes get_http_response_headers_bytes
                get_http_response_trailers_bytes;
            (&self, _: Vec<(&str, &str)>) -> () = () =>
                set_http_request_headers set_http_request_trailers set_http_response_headers
                set_http_response_trailers;
            (&self, _: Vec<(&str, &[u8])>) -> () = () =>
                set_http_request_headers_bytes set_http_request_trailers_bytes set_http_response_headers_bytes
                set_http_response_trailers_bytes;
            (&self, _: &str) -> Option<String> = None =>
                get_http_request_header get_http_request_trailer get_http_response_header
                get_http_response_trailer;
            (&self, _: &str) -> Option<Bytes> = None =>
                get_http_request_header_bytes get_http_request_trailer_bytes get_http_response_header_bytes
                get_http_response_trailer_bytes;
            (&self, _: &str, _: Option<&str>) -> () = () =>
                set_http_request_header set_http_request_trailer set_http_response_header
                set_http_response_trailer;
            (&self, _: &str, _: Option<&[u8]>) -> () = () =>
                set_http_request_header_bytes set_http_request_trailer_bytes set_http_response_header_bytes
                set_http_response_trailer_bytes;
            (&self, _: &str, _: &str) -> () = () =>
                add_http_request_header add_http_request_trailer add_http_response_header
                add_http_response_trailer;
            (&self, _: &str, _: &[u8]) -> () = () =>
                add_http_request_header_bytes add_http_request_trailer_bytes add_http_response_header_bytes
                add_http_response_trailer_bytes;
            (&self, _: &str) -> () = () =>
                remove_http_request_header remove_http_request_trailer remove_http_response_header
                remove_http_response_trailer;
            (&self, _: usize, _: usize) -> Option<Bytes> = None =>
                get_http_request_body get_http_response_body;
            (&self, _: usize, _: usize, _: &[u8]) -> () = () =>
                set_http_request_body set_http_response_body;
            (&self) -> () = () =>
                resume_http_request reset_http_request resume_http_response reset_http_response;
            (&self, _: u32, _: Vec<(&str, &str)>, _: Option<&[u8]>) -> () = () => send_http_response;
            (&self, _: GrpcStatusCode, _: Option<&str>, _: Vec<(&str, &[u8])>) -> () = () => send_grpc_response;
        }
    };
}

pub(super) use {always, without_context, without_http, without_root};
