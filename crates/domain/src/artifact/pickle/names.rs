//! Which imports of a pickle are harmless and which are dangerous.

/// Modules, or their first parts, that can run commands, read files, reach the network or load
/// other code.
const DANGEROUS: &str = "os posix nt sys subprocess socket shutil pty runpy webbrowser importlib ctypes \
    code codeop commands requests urllib urllib2 urllib3 http httplib aiohttp httpx \
    ftplib smtplib asyncio bdb pdb pip pydoc timeit marshal multiprocessing signal \
    threading tempfile pathlib glob platform profile cProfile pkgutil zipimport \
    ensurepip idlelib lib2to3 distutils setuptools paramiko dill cloudpickle pickle \
    _pickle joblib inspect types gc builtins __builtin__ operator _operator \
    functools _io io torch.hub linecache trace venv ssl telnetlib xmlrpc cffi numba";

/// `None`: harmless. `Some(false)`: not known. `Some(true)`: dangerous.
pub(super) fn danger(module: &str, name: &str) -> Option<bool> {
    let root = module.split('.').next().unwrap_or(module);
    let safe = match module {
        "collections" | "_codecs" | "datetime" | "decimal" | "fractions" | "uuid" | "enum"
        | "array" | "copyreg" | "copy_reg" => !matches!(name, "lookup" | "register" | "open"),
        "builtins" | "__builtin__" => matches!(
            name,
            "set"
                | "frozenset"
                | "list"
                | "dict"
                | "tuple"
                | "int"
                | "float"
                | "str"
                | "bytes"
                | "bytearray"
                | "bool"
                | "complex"
                | "object"
                | "slice"
                | "range"
        ),
        "functools" => false,
        "torch" => {
            name.ends_with("Storage")
                || matches!(
                    name,
                    "Size"
                        | "Tensor"
                        | "device"
                        | "dtype"
                        | "float16"
                        | "float32"
                        | "float64"
                        | "bfloat16"
                        | "int8"
                        | "int16"
                        | "int32"
                        | "int64"
                        | "uint8"
                        | "bool"
                )
        }
        "torch._utils" => name.starts_with("_rebuild_"),
        "torch.nn.parameter" => matches!(name, "Parameter" | "Buffer"),
        "torch.storage" => matches!(name, "UntypedStorage" | "TypedStorage"),
        "torch.serialization" => name == "_get_layout",
        "numpy" => matches!(
            name,
            "dtype" | "ndarray" | "float32" | "float64" | "int32" | "int64" | "bool_" | "generic"
        ),
        "numpy.core.multiarray" | "numpy._core.multiarray" => {
            matches!(name, "_reconstruct" | "scalar")
        }
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "joblib.numpy_pickle" => name == "NumpyArrayWrapper",
        "scipy.sparse._csr" | "scipy.sparse._csc" => true,
        _ => false,
    };
    if safe {
        return None;
    }
    let nested = matches!(name, "_load_from_bytes" | "loads" | "load");
    Some(
        is_listed(root)
            || is_listed(module)
            || nested
            || name.contains("__import__")
            || name.contains("system"),
    )
}

fn is_listed(module: &str) -> bool {
    DANGEROUS.split_whitespace().any(|listed| listed == module)
}
