//! Signing in, and who a session is.

use crate::{Caller, Ctx, caller::grants_of, context::Recording, ports::*};
use domain::{Error, Result, ids::*, person::*};

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct RequestInfo {
    pub session: Option<String>,
    pub request_id: String,
    pub address: Option<String>,
    pub zone: String,
}

#[derive(Clone)]
pub struct People(pub(crate) Ctx);

impl People {
    /// Takes what the provider said, finds or makes account and person, and records the sign-in.
    pub async fn sign_in(&self, sign_in: &SignIn, info: &RequestInfo) -> Result<Caller> {
        let ctx = &self.0;
        let (person, account) = ctx
            .store
            .sign_in(
                sign_in,
                PersonId(ctx.entropy.uuid()),
                AccountId(ctx.entropy.uuid()),
            )
            .await?;
        let snapshot = GroupSnapshot {
            groups: sign_in.groups.clone(),
            source: GroupSource::SignIn,
            taken_at: sign_in.at,
        };
        let caller = self.caller(&person, &account, snapshot, info);
        let record = ctx
            .event(
                Some(&caller),
                "session.start",
                format!("account:{}", account.id),
            )
            .with(serde_json::json!({ "issuer": account.issuer, "groups": sign_in.groups }))
            .retained(Retention::Access);
        ctx.store.audit_append(&[record]).await?;
        Ok(caller)
    }

    /// The caller of a session's account. `None`: the account is gone.
    pub async fn of_account(
        &self,
        account: AccountId,
        info: &RequestInfo,
    ) -> Result<Option<Caller>> {
        let store = &self.0.store;
        let Some(account) = store.account(account).await? else {
            return Ok(None);
        };
        let person = store
            .person(account.person)
            .await?
            .ok_or_else(|| Error::internal("an account without a person"))?;
        let Some(groups) = store.groups(account.id).await? else {
            return Ok(None);
        };
        Ok(Some(self.caller(&person, &account, groups, info)))
    }

    fn caller(
        &self,
        person: &Person,
        account: &Account,
        groups: GroupSnapshot,
        info: &RequestInfo,
    ) -> Caller {
        Caller {
            person: person.id,
            account: account.id,
            name: account.name.clone(),
            username: account.username.clone(),
            email: account.email.clone(),
            grants: grants_of(&self.0.settings.grants, &groups.groups),
            groups,
            session: info.session.clone(),
            request_id: info.request_id.clone(),
            address: info.address.clone(),
            zone: if info.zone.is_empty() {
                "UTC".into()
            } else {
                info.zone.clone()
            },
        }
    }
}
