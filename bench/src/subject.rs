//! The servers that are compared, each a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::fault::{At as _, Fault};
use crate::pin::pin;

/// A server that may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Subject {
    /// The batching echo server: the floor
    Echo,
    /// The same with one system call on a file for each request: the floor of a server of files
    Plain,
    /// nfs4d --driver tokio
    Nfs4dTokio,
    /// nfs4d --driver threads
    Nfs4dThreads,
    /// nfs4d --driver tokio with a real directory
    LocalTokio,
    /// nfs4d --driver threads with a real directory
    LocalThreads,
    /// NFS-Ganesha with FSAL VFS, with a real directory
    Ganesha,
    /// The in-memory file system of the crate embednfs
    Embednfs,
}

impl Subject {
    pub(crate) const ALL: [Subject; 8] = [
        Subject::Echo,
        Subject::Plain,
        Subject::Nfs4dTokio,
        Subject::Nfs4dThreads,
        Subject::LocalTokio,
        Subject::LocalThreads,
        Subject::Ganesha,
        Subject::Embednfs,
    ];

    /// Whether it is one of ours.
    pub(crate) const fn is_nfs4d(self) -> bool {
        match self {
            Subject::Nfs4dTokio
            | Subject::Nfs4dThreads
            | Subject::LocalTokio
            | Subject::LocalThreads => true,
            Subject::Echo | Subject::Plain | Subject::Ganesha | Subject::Embednfs => false,
        }
    }

    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Subject::Echo => "echo",
            Subject::Plain => "plain",
            Subject::LocalTokio => "nfs4d tokio, LocalFs",
            Subject::LocalThreads => "nfs4d threads, LocalFs",
            Subject::Nfs4dTokio => "nfs4d tokio",
            Subject::Nfs4dThreads => "nfs4d threads",
            Subject::Ganesha => "Ganesha VFS",
            Subject::Embednfs => "embednfs",
        }
    }
}

/// Where the programs are, or why they are not there.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) nfs4d: Result<PathBuf, Fault>,
    pub(crate) ganesha: Result<PathBuf, Fault>,
    pub(crate) embednfs: Result<PathBuf, Fault>,
    /// A folder under which the files are of servers of real directories.
    pub(crate) files: PathBuf,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    /// Removed after the process has ended.
    _folders: Folders,
}

/// Folders that go with their owner.
#[derive(Debug)]
struct Folders(Vec<PathBuf>);

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in &self.0 {
            drop(fs::remove_dir_all(folder));
        }
    }
}

impl Server {
    /// Starts a server on one processor; the calling thread is on `back` afterwards.
    ///
    /// # Errors
    /// The program is not there, or does not listen after a while.
    pub(crate) fn start(
        subject: Subject,
        programs: &Programs,
        processor: usize,
        back: usize,
    ) -> Result<Server, Fault> {
        let address = free_address()?;
        let name = format!("nfs4-bench-{}-{}", std::process::id(), address.port());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).at(folder.display())?;
        let files = programs.files.join(&name);
        fs::create_dir_all(&files).at(files.display())?;
        let folders = Folders(vec![folder.clone(), files.clone()]);
        let mut command = match subject {
            Subject::Echo => {
                let own = std::env::current_exe().at("this program")?;
                let mut command = Command::new(own);
                command.args(["echo", "--listen", &address.to_string()]);
                command
            }
            Subject::Plain => {
                let own = std::env::current_exe().at("this program")?;
                let mut command = Command::new(own);
                command.args(["plain", "--listen", &address.to_string()]);
                command.arg("--file").arg(files.join("data"));
                command
            }
            Subject::LocalTokio | Subject::LocalThreads => {
                let driver = match subject {
                    Subject::LocalTokio => "tokio",
                    _ => "threads",
                };
                let config = folder.join("nfs4d.toml");
                fs::write(
                    &config,
                    LOCAL.replace("{files}", &files.display().to_string()),
                )
                .at(config.display())?;
                let mut command = nfs4d(programs, address, driver)?;
                command.arg("--state-dir").arg(folder.join("state"));
                command.arg("--config").arg(config);
                command
            }
            Subject::Nfs4dTokio => nfs4d(programs, address, "tokio")?,
            Subject::Nfs4dThreads => nfs4d(programs, address, "threads")?,
            Subject::Ganesha => ganesha(programs, address, &folder, &files)?,
            Subject::Embednfs => {
                let mut command = Command::new(programs.embednfs.clone()?);
                command.arg(address.to_string());
                command
            }
        };
        let log = folder.join("log");
        let output = File::create(&log).at(log.display())?;
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().at("the log")?);
        command.stderr(output);
        // A process inherits the processors of the thread that starts it.
        pin(processor)?;
        let child = command.spawn();
        pin(back)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let mut server = Server {
            address,
            child: child.at(program)?,
            _folders: folders,
        };
        server.wait_until_it_listens(&log)?;
        Ok(server)
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> Result<(), Fault> {
        let deadline = Instant::now() + START;
        loop {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if self.has_ended() || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                let last = said.lines().last().unwrap_or("it says nothing");
                return Err(Fault::new(format!("it does not listen: {last}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn has_ended_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if self.has_ended() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = Pid::from_raw(self.child.id() as i32)
            && !self.has_ended()
        {
            let told = kill_process(process, Signal::TERM);
            if told.is_err() || !self.has_ended_within(STOP) {
                drop(self.child.kill());
                drop(self.child.wait());
            }
        }
    }
}

fn free_address() -> Result<SocketAddr, Fault> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).at("a free port")?;
    listener.local_addr().at("a free port")
}

fn nfs4d(programs: &Programs, address: SocketAddr, driver: &str) -> Result<Command, Fault> {
    let mut command = Command::new(programs.nfs4d.clone()?);
    command.args(["--listen", &address.to_string(), "--driver", driver]);
    command.args(["--memory", "1G", "--log", "error"]);
    Ok(command)
}

fn ganesha(
    programs: &Programs,
    address: SocketAddr,
    folder: &Path,
    files: &Path,
) -> Result<Command, Fault> {
    let program = programs.ganesha.clone()?;
    let config = folder.join("ganesha.conf");
    let text = GANESHA
        .replace("{port}", &address.port().to_string())
        .replace("{files}", &files.display().to_string());
    fs::write(&config, text).at(config.display())?;
    let mut command = Command::new(program);
    command.args(["-F", "-L", "STDERR", "-N", "CRIT", "-f"]);
    command.arg(config).arg("-p").arg(folder.join("pid"));
    Ok(command)
}

/// A program in one of the folders of `PATH`, or in those of the administrator.
///
/// # Errors
/// It is in none of them.
pub(crate) fn find(program: &str) -> Result<PathBuf, Fault> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut found = folders.map(|folder| folder.join(program));
    found
        .find(|path| path.is_file())
        .ok_or_else(|| Fault::new(format!("{program} is not installed")))
}

/// A directory without squashing, as Ganesha serves it.
const LOCAL: &str = "\
[[export]]
path = \"{files}\"
pseudo = \"/\"
squash = \"none\"
sec = [\"sys\", \"none\"]
";
/// The defaults, but for what a machine without Kerberos and rpcbind lacks.
const GANESHA: &str = "\
NFS_CORE_PARAM {
    Protocols = 4;
    NFS_Port = {port};
    Bind_addr = 127.0.0.1;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
}
NFS_KRB5 { Active_krb5 = false; }
NFSV4 { Graceless = true; Minor_Versions = 1; Delegations = false; }
EXPORT {
    Export_Id = 1;
    Path = {files};
    Pseudo = /;
    Access_Type = RW;
    Squash = None;
    SecType = sys;
    Protocols = 4;
    Transports = TCP;
    FSAL { Name = VFS; }
}
";
const START: Duration = Duration::from_secs(15);
const STOP: Duration = Duration::from_secs(5);
