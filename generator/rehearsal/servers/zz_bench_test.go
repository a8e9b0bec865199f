package servers
import ("testing";"context"
"github.com/jackc/pgx/v5/pgconn"
"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
"github.com/rotasmith/rotasmith/templates/project/rotation"
"github.com/rotasmith/rotasmith/templates/strategies/database/database")
func BenchmarkZ(b *testing.B){ s:=Postgres(b)
 tg,_:=postgres.New(s.CA,32)
 acc:=database.Account{User:s.Admin,Password:rotation.NewSensitive(s.AdminPassword),Host:s.Host,Port:s.Port,Database:"postgres",ServerName:"localhost"}
 for _,pt:=range []bool{false,true}{ acc.Plaintext=pt
 n:="tls"; if pt {n="plain"}
 b.Run("ours-"+n,func(b *testing.B){ for b.Loop(){ ss,err:=tg.Login(context.Background(),acc); if err!=nil{b.Fatal(err)}; ss.Close()}})
 u:=s.URL(s.Admin,s.AdminPassword,"postgres"); if pt {u+="&sslmode=disable"}
 b.Run("bare-"+n,func(b *testing.B){ for b.Loop(){ c,err:=pgconn.Connect(context.Background(),u); if err!=nil{b.Fatal(err)}; c.Close(context.Background())}})
 }}
