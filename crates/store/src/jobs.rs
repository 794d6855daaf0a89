//! The queue: leases, and epochs that tell a worker when another has taken over.

use crate::{Db, arg::args, conn::Conn, row::word, sql::Sql};
use async_trait::async_trait;
use domain::{Error, Micros, Result};
use services::ports::{Fence, Job, JobKind, JobStore, NewJob, NewRecord};

/// The turn that claims take, one after the other.
const CLAIMING: i64 = 0x6761_7465_6a6f_6273;

/// Makes the jobs whose keys are new.
pub(crate) async fn enqueue(tx: &mut Conn, jobs: &[NewJob]) -> Result<()> {
    for job in jobs {
        tx.exec(
            "INSERT INTO jobs (id, kind, key, run_at, cluster, object, rank, epoch, attempts, lease_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0) ON CONFLICT (key) DO NOTHING",
            args![
                job.id,
                word(&job.kind)?,
                &job.key,
                job.run_at,
                &job.cluster,
                &job.object,
                i64::from(!job.urgent)
            ],
        )
        .await?;
    }
    Ok(())
}

/// Refuses when another worker claimed the job since. The row stays locked until the transaction
/// ends, so nobody can claim it in between.
pub(crate) async fn hold_fence(tx: &mut Conn, fence: &Fence) -> Result<()> {
    let sql = "UPDATE jobs SET epoch = epoch WHERE id = $1 AND epoch = $2 AND done_at IS NULL";
    if tx.exec(sql, args![fence.job, fence.epoch]).await? == 0 {
        return Err(Error::conflict("another worker has taken over this job"));
    }
    Ok(())
}

#[async_trait]
impl JobStore for Db {
    async fn job_claim(
        &self,
        kinds: &[JobKind],
        worker: &str,
        now: Micros,
        lease_until: Micros,
        except: &[String],
    ) -> Result<Option<Job>> {
        if kinds.is_empty() {
            return Ok(None);
        }
        let mut tx = self.begin().await?;
        // Two claims at once would not see each other's leases.
        tx.take_turn(CLAIMING).await?;
        let mut q =
            Sql::new("UPDATE jobs SET epoch = epoch + 1, attempts = attempts + 1, lease_owner = ");
        q.arg(worker).push(", lease_until = ").arg(lease_until);
        q.push(" WHERE id = (SELECT j.id FROM jobs j WHERE j.done_at IS NULL AND j.run_at <= ")
            .arg(now);
        q.push(" AND j.lease_until <= ").arg(now);
        q.push(
            " AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.cluster = j.cluster AND o.object = j.object
                AND o.done_at IS NULL AND o.lease_until > ",
        )
        .arg(now)
        .push(")");
        q.among(
            "j.kind",
            kinds
                .iter()
                .map(word)
                .collect::<Result<Vec<_>>>()?
                .into_iter(),
        );
        if !except.is_empty() {
            q.push(" AND j.cluster NOT IN ").list(except);
        }
        q.push(" ORDER BY j.rank, j.run_at, j.id LIMIT 1")
            .push(tx.skip_locked())
            .push(") RETURNING id, kind, key, cluster, epoch, attempts");
        let Some(row) = tx.one(q.text, q.args).await? else {
            // Ended now, not when the connection is used again.
            tx.commit().await?;
            return Ok(None);
        };
        let id = row.id("id")?;
        let job = Job {
            id,
            kind: row.word("kind")?,
            key: row.text("key")?,
            cluster: row.text("cluster")?,
            fence: Fence {
                job: id,
                epoch: row.int("epoch")?,
            },
            attempts: row.small("attempts")?,
        };
        tx.commit().await?;
        Ok(Some(job))
    }

    async fn job_extend(&self, fence: &Fence, lease_until: Micros) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql =
            "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND epoch = $2 AND done_at IS NULL";
        let extended = tx
            .exec(sql, args![fence.job, fence.epoch, lease_until])
            .await?;
        tx.commit().await?;
        Ok(extended > 0)
    }

    async fn job_retry(&self, fence: &Fence, run_at: Micros, note: &str) -> Result<bool> {
        let mut tx = self.begin().await?;
        let note: String = note.chars().take(2000).collect();
        // The epoch stays: until somebody claims the job, this worker is still the last one.
        let sql = "UPDATE jobs SET run_at = $3, note = $4, lease_owner = NULL, lease_until = 0 WHERE id = $1 AND epoch = $2 AND done_at IS NULL";
        let put_back = tx
            .exec(sql, args![fence.job, fence.epoch, run_at, note])
            .await?;
        tx.commit().await?;
        Ok(put_back > 0)
    }

    async fn job_done(&self, fence: &Fence, now: Micros, audit: &[NewRecord]) -> Result<bool> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE jobs SET done_at = $3, lease_owner = NULL, lease_until = 0 WHERE id = $1 AND epoch = $2 AND done_at IS NULL";
        if tx.exec(sql, args![fence.job, fence.epoch, now]).await? == 0 {
            return Ok(false);
        }
        self.append(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(true)
    }
}
